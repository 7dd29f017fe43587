"""`bouncegrad report RUN_OR_RESULT`."""

from __future__ import annotations

import shlex
from pathlib import Path

from jsonargparse import Namespace

from bouncegrad.app import regression
from bouncegrad.app.arguments import add_data_options
from bouncegrad.app.commands.evaluate import test_tasks
from bouncegrad.app.parser import Parser
from bouncegrad.app.recordings import load_data
from bouncegrad.data.errors import InputError
from bouncegrad.runs.folder import Run


def main(words: list[str]) -> None:
    """Writes the page of a run, which it evaluates, and a picture of the training curves; or the page of a result."""
    if any(map(regression.is_run, words)):
        return regression.report(words)
    parser = Parser("report")
    parser.add_argument("folder", type=str, help="run folder of a trained model, or result folder that `infer` wrote")
    parser.add_argument(
        "--data", type=str | None, help="recordings to evaluate on (default: those of the run), or those of the result"
    )
    parser.add_argument("--context", type=int | None, help="number of frames to read (default: as in training)")
    parser.add_argument("--out", type=str | None, help="file to write (default: report.html in the folder)")
    add_data_options(parser)
    args = parser.parse_args(words)
    if (Path(args.folder) / "result.npz").is_file() and not (Path(args.folder) / "config.yaml").exists():
        return report_result(args, words)

    from bouncegrad.app.pages import run_report
    from bouncegrad.app.pictures import curves_picture
    from bouncegrad.models.evaluation import evaluate
    from bouncegrad.models.model import Model

    run, model = Run(args.folder), Model.load(args.folder)
    about = run.about()
    if args.data is None:
        if about["source"].startswith("simulate "):
            raise InputError(f"{args.folder}: was trained on data of {about['source']!r}, not of a file; give --data")
        for name, value in (about["read"] or {}).items():
            setattr(args, name, value)
    data, split = test_tasks(run, args.data or about["source"], args)
    out = Path(args.out or run.folder / "report.html")
    evaluation = evaluate(model, data, args.context, split)
    run_report(run, model, shlex.join(["bouncegrad", "report", *words]), data, evaluation, out)
    print(f"wrote {out}{curves_picture(run.rows(), out.parent / 'curves.png')}")


def report_result(args: Namespace, words: list[str]) -> None:
    """Writes the page of a result of `infer`; it has tracks and truth if the recordings are given."""
    if args.context is not None:
        raise InputError(f"option context: {args.folder} is a result, which has its number of frames; leave it out")

    from bouncegrad.app.pages import result_report
    from bouncegrad.results.result import Result

    folder = Path(args.folder)
    result, out = Result.load(folder / "result.npz"), Path(args.out or folder / "report.html")
    data, part = (None, None) if args.data is None else load_data(args.data, args, "test", print_notes=True)
    split = f"all tasks of {args.data}" if part is None else f"part {part} of {args.data}"
    result_report(result, shlex.join(["bouncegrad", "report", *words]), data, split, out)
    print(f"wrote {out}")
