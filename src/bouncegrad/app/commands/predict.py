"""`bouncegrad predict RUN DATA --steps S --out RESULT`."""

from __future__ import annotations

import json
import time

from bouncegrad.app.arguments import Parser, add_device_option, add_drawn_options, load_new, new_folder, told
from bouncegrad.app.run import Run


def main(words: list[str]) -> None:
    """Writes RESULT/forecast.csv, forecast.npz and a picture of the first task."""
    parser = Parser("predict")
    add_drawn_options(parser)
    parser.add_argument("--steps", type=int, default=20, help="frames ahead")
    add_device_option(parser)
    args = parser.parse_args(words)

    from bouncegrad.app.devices import computing
    from bouncegrad.app.model import Model
    from bouncegrad.app.pictures import forecast_picture, task_number
    from bouncegrad.results.forecast import INTERVAL

    with computing(args.device, None):
        model = Model.load(args.run)
        Run(args.run).warn_if_unfinished()
        data, part = load_new(args, model.config)
        task = task_number(data, args.task)
        start = time.perf_counter()
        forecast = model.forecast(data, args.steps, args.context)
        seconds = time.perf_counter() - start
    folder = new_folder(args.out)
    forecast.save(folder / "forecast.npz")
    forecast.write_csv(folder / "forecast.csv")
    forecast_picture(forecast, data, task, folder / "forecast.svg")
    files = [str(folder / name) for name in ("forecast.csv", "forecast.npz", "forecast.svg")]
    if args.json:
        about = {"tasks": len(data.tasks), "steps": args.steps, "context_frames": forecast.context, "part": part}
        print(json.dumps(about | {"interval": INTERVAL, "seconds": seconds, "files": files}))
        return
    told(args.quiet)(
        f"{len(data.tasks)} tasks, {args.steps} frames after the first {forecast.context}, {seconds:.1f} s"
    )
    told(args.quiet)(f"{INTERVAL:.0%} of the futures lie between _low and _high")
    print("\n".join(f"wrote {file}" for file in files))
