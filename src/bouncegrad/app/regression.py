"""`train`, `evaluate` and `report` for regression tasks; those commands call them for such a preset or run."""

from __future__ import annotations

import json
import shlex
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from bouncegrad.app.arguments import add_json_option, add_quiet_option, printer
from bouncegrad.app.parser import Parser
from bouncegrad.app.progress import bar
from bouncegrad.app.signals import stop_signal
from bouncegrad.data.errors import InputError
from bouncegrad.regression import PRESETS
from bouncegrad.regression.settings import RegressionConfig
from bouncegrad.runs.consistency import consistent
from bouncegrad.runs.folder import Run
from bouncegrad.runs.lock import locked
from bouncegrad.runs.tensorboard import events, has_events


def preset_of(words: list[str]) -> str | None:
    """Returns the preset of regression tasks that the command line names, or None."""
    given = [word.partition("=")[2] for word in words if word.startswith("--preset=")]
    given += [after for word, after in pairwise(words) if word == "--preset"]
    return next((name for name in given if name in PRESETS), None)


def is_run(word: str) -> bool:
    """Returns whether the word is the folder of a run on regression tasks."""
    path = Path(word) / "config.yaml"
    return path.is_file() and "\nalgorithm:" in path.read_text(errors="replace")


def train(words: list[str], name: str) -> int:
    """Trains into a run folder, or resumes a run; returns 130 after Ctrl-C.

    Ctrl-C stops a run at the end of a pass, and `--resume` goes on from there. A run that was killed goes on from its
    last checkpoint, which is at most half a minute older.
    """
    parser = Parser("train", usage=f"bouncegrad train --preset {name} --out OUT", default_env=False)
    parser.add_argument(
        "--preset",
        type=str,
        metavar="NAME",
        help="settings of a named experiment; options on the command line override them",
    )
    parser.add_argument("--out", type=str | None, help="run folder to write")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--tensorboard", action="store_true", help="also write the metrics for TensorBoard")
    add_quiet_option(parser)
    parser.add_argument("--config", action="config", metavar="FILE", help="YAML file of settings; later options win")
    parser.add_class_arguments(RegressionConfig, None, help="settings (see also --print_config)")
    args = parser.parse_args(["--config", str(PRESETS[name]), *words])
    if not args.out:
        raise InputError("--out is missing; see bouncegrad train --help")
    config = RegressionConfig.from_mapping({f.name: getattr(args, f.name) for f in fields(RegressionConfig)}, name)

    from bouncegrad.regression import run  # here, so that help does not load torch

    folder = Path(args.out)
    metrics = Run(folder)

    def add_row(row: dict[str, Any]) -> None:
        metrics.add_row(row)
        if board is not None:
            board(row)

    if args.resume and run.is_done(folder, config):
        print(f"{folder}: has ended before")
        printer(args.quiet)(table(run.evaluate(folder)))
        return 0
    tensorboard = args.tensorboard or (args.resume and has_events(metrics))
    with locked(folder):
        with (
            events(metrics, tensorboard) as board,
            bar("training", shown=not args.quiet) as show,
            stop_signal() as stopped,
        ):
            training = (run.again if args.resume else run.begin)(folder, config)
            ended = training.run(show, stopped, add_row=add_row, save=lambda: run.pause(training, folder))
        if not ended:
            run.pause(training, folder)
            print(f"stopped; go on with: bouncegrad train {shlex.join(words)}{'' if args.resume else ' --resume'}")
            return 130
        done = training.finish()
        run.save(done, folder)
    print_line = printer(args.quiet)
    print_line(f"{done.meta_steps} meta-steps in {done.seconds:.0f} s")
    print_line(table(run.numbers(done.errors, done.config)))
    print(f"wrote {folder}")
    return 0


def evaluate(words: list[str]) -> None:
    """Measures the four errors of a run and prints them."""
    parser = Parser("evaluate")
    parser.add_argument("run", type=str, help="run folder of a run on regression tasks")
    parser.add_argument(
        "--inner_steps",
        type=int | None,
        help="gradient steps of each task on its fitted points (default: as in training)",
    )
    add_json_option(parser)
    args = parser.parse_args(words)

    from bouncegrad.regression import run

    numbers = run.evaluate(Path(args.run), args.inner_steps)
    print(json.dumps(numbers) if args.json else table(numbers))


def report(words: list[str]) -> None:
    """Writes the page of a run, and a picture of the training curves beside it."""
    parser = Parser("report")
    parser.add_argument("run", type=str, help="run folder of a run on regression tasks")
    parser.add_argument("--out", type=str | None, help="file to write (default: RUN/report.html)")
    args = parser.parse_args(words)

    from bouncegrad.app.pictures import curves_picture
    from bouncegrad.regression import run
    from bouncegrad.regression.reporting import run_report

    folder = Path(args.run)
    out = Path(args.out or folder / "report.html")
    with consistent(folder):
        run_report(folder, run.opened(folder), shlex.join(["bouncegrad", "report", *words]), out)
    print(f"wrote {out}{curves_picture(Run(folder).rows(), out.parent / 'curves.png')}")


def table(numbers: dict[str, float]) -> str:
    """Returns the four errors as a table, and names the one to report."""
    rows = [f"{'mean squared error':<20}{'fitted points':>16}{'held-out points':>18}"]
    for tasks in ("training", "new"):
        fitted, held_out = numbers[f"mse_{tasks}_fitted"], numbers[f"mse_{tasks}_held_out"]
        rows.append(f"{tasks + ' tasks':<20}{fitted:>16.4g}{held_out:>18.4g}")
    steps = numbers["inner_steps"]
    adapted = f", after {steps} inner steps" if steps else ""
    rows.append(f"to report: new tasks, held-out points: {held_out:.4g}{adapted}")
    return "\n".join(rows)
