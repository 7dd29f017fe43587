"""`bouncegrad report RUN`."""

from __future__ import annotations

from pathlib import Path

from bouncegrad.app.arguments import Parser, add_data_options
from bouncegrad.app.commands.evaluate import test_tasks
from bouncegrad.app.regression import command as regression
from bouncegrad.app.run import Run
from bouncegrad.data.errors import InputError


def main(words: list[str]) -> None:
    """Evaluates a run, writes its page, and beside it the course of training as a picture."""
    if any(map(regression.is_run, words)):
        return regression.report(words)
    parser = Parser("report")
    parser.add_argument("run", type=str, help="run folder of a trained model")
    parser.add_argument("--data", type=str | None, help="tasks to evaluate on (default: the data of the run)")
    parser.add_argument("--context", type=int | None, help="frames that are looked at (default: as in training)")
    parser.add_argument("--out", type=str | None, help="file to write (default: RUN/report.html)")
    add_data_options(parser)
    args = parser.parse_args(words)

    from bouncegrad.app.evaluation import evaluate
    from bouncegrad.app.model import Model
    from bouncegrad.app.pictures import curves_picture
    from bouncegrad.app.reporting import run_report

    run, model = Run(args.run), Model.load(args.run)
    about = run.about()
    if args.data is None:
        if about["source"].startswith("simulate "):
            raise InputError(f"{args.run}: was trained on data of {about['source']!r}, not of a file; give --data")
        for name, value in (about["read"] or {}).items():
            setattr(args, name, value)
    data, split = test_tasks(run, args.data or about["source"], args)
    out = Path(args.out or run.folder / "report.html")
    evaluation = evaluate(model, data, args.context, split)
    run_report(run, model, " ".join(["bouncegrad report", *words]), data, evaluation, out)
    print(f"wrote {out}{curves_picture(run.rows(), out.parent / 'curves.png')}")
