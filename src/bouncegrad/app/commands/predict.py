"""`bouncegrad predict RUN DATA --steps S --out RESULT`."""

from __future__ import annotations

import json
import time

from bouncegrad.app.arguments import add_device_option, add_drawn_options, printer
from bouncegrad.app.parser import Parser
from bouncegrad.app.recordings import load_new, new_folder, warn_if_unfinished
from bouncegrad.runs.folder import Run


def main(words: list[str]) -> None:
    """Writes RESULT/forecast.csv, forecast.npz and a picture of one task."""
    parser = Parser("predict")
    add_drawn_options(parser)
    parser.add_argument("--steps", type=int, default=20, help="number of frames to forecast")
    add_device_option(parser)
    args = parser.parse_args(words)

    from bouncegrad.app.pictures import forecast_picture, task_number
    from bouncegrad.models.forecasts import forecast, frames_inside
    from bouncegrad.models.model import Model
    from bouncegrad.results.forecast import INTERVAL
    from bouncegrad.settings.devices import computing

    with computing(args.device, None):
        model = Model.load(args.run)
        warn_if_unfinished(Run(args.run))
        data, part = load_new(args, model)
        task = task_number(data, args.task)
        start = time.perf_counter()
        found = forecast(model, data, args.steps, args.context)
        seconds = time.perf_counter() - start
    inside = frames_inside(model, found.x)
    folder = new_folder(args.out)
    found.save(folder / "forecast.npz")
    found.write_csv(folder / "forecast.csv")
    forecast_picture(found, data, task, folder / "forecast.svg")
    files = [str(folder / name) for name in ("forecast.csv", "forecast.npz", "forecast.svg")]
    if args.json:
        about = {"tasks": len(data.tasks), "steps": args.steps, "context_frames": found.context, "part": part}
        print(json.dumps(about | {"interval": INTERVAL, "inside": inside, "seconds": seconds, "files": files}))
        return
    print_line = printer(args.quiet)
    print_line(f"{len(data.tasks)} tasks, {args.steps} frames after the first {found.context}, in {seconds:.1f} s")
    if inside is not None:
        print_line(f"after frame {inside} the forecast leaves what was seen in training; it is kept near it")
    print_line(f"{INTERVAL:.0%} of the futures lie between _low and _high")
    print("\n".join(f"wrote {file}" for file in files))
