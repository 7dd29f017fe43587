"""`bouncegrad without RUN DATA --entity NAME --out RESULT`."""

from __future__ import annotations

import json

from bouncegrad.app.arguments import add_drawn_options, printer
from bouncegrad.app.parser import Parser
from bouncegrad.app.recordings import load_new, new_folder, warn_if_unfinished
from bouncegrad.runs.folder import Run


def main(words: list[str]) -> None:
    """Writes RESULT/without.csv, without.npz and a picture of one task."""
    parser = Parser("without")
    parser.add_argument("--entity", type=str, required=True, help="name of the entity that is left out")
    add_drawn_options(parser)
    parser.add_argument("--steps", type=int, default=20, help="number of frames to forecast")
    args = parser.parse_args(words)

    from bouncegrad.app.pictures import counterfactual_picture, task_number
    from bouncegrad.models.forecasts import without
    from bouncegrad.models.model import Model

    model = Model.load(args.run)
    warn_if_unfinished(Run(args.run))
    data, part = load_new(args, model)
    task = task_number(data, args.task)
    found = without(model, data, args.entity, args.steps, args.context)
    folder = new_folder(args.out)
    found.save(folder / "without.npz")
    found.write_csv(folder / "without.csv")
    counterfactual_picture(found, task, folder / "without.svg")
    files = [str(folder / name) for name in ("without.csv", "without.npz", "without.svg")]
    apart = found.distance.mean((0, 2))
    if args.json:
        about = {"tasks": len(data.tasks), "entity": args.entity, "steps": args.steps, "part": part}
        print(json.dumps(about | {"distance": apart.tolist(), "files": files}))
        return
    print_line = printer(args.quiet)
    print_line(f"{len(data.tasks)} tasks go on from frame {found.context - 1} with and without {args.entity}")
    shown = sorted({1, 5, 10, 20, args.steps})
    far = ", ".join(f"{apart[h - 1]:.3g} at {h}" for h in shown if h <= args.steps)
    print_line(f"mean distance between the two forecasts of the others: {far} frames ({found.measured_in})")
    print("\n".join(f"wrote {file}" for file in files))
