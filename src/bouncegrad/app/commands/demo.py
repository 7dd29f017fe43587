"""`bouncegrad demo`: simulates, trains, infers, evaluates and reports, with built-in settings."""

from __future__ import annotations

import time
from pathlib import Path

import yaml

from bouncegrad.app.arguments import add_quiet_option, printer
from bouncegrad.app.parser import Parser
from bouncegrad.app.progress import bar
from bouncegrad.app.resuming import resume_command
from bouncegrad.app.training import Job, train_in
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import save
from bouncegrad.data.simulate import simulate
from bouncegrad.runs.folder import Run
from bouncegrad.runs.lock import locked
from bouncegrad.runs.provenance import Provenance
from bouncegrad.settings.config import Config, preset

TRAINING_TASKS, NEW_TASKS = 1000, 200
TRAINING_FRAMES, NEW_FRAMES = 49, 99
FIRST_FILES = {"train.npz", "new.npz"}
OWN_FILES = FIRST_FILES | {"run", "edges.csv", "result.npz", "report.html"}


def main(words: list[str]) -> int:
    """Simulates charged particles, learns their laws without labels, and infers and evaluates new tasks."""
    parser = Parser("demo")
    parser.add_argument("--out", type=str, default="demo", help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="seed of every random draw")
    parser.add_argument("--minutes", type=float | None, help="time limit of training (default: 1.5)")
    parser.add_argument(
        "--epochs",
        type=int | None,
        help="passes over the tasks, instead of --minutes; gives the same numbers every time",
    )
    add_quiet_option(parser)
    args = parser.parse_args(words)
    settings = yaml.safe_load(preset("demo").read_text()) | {"seed": args.seed, "epochs": args.epochs}
    if args.minutes is not None:
        settings["minutes"] = args.minutes
    config = Config.from_mapping(settings, "preset demo")
    out = Path(args.out)
    with locked(out):
        clear(out)
        return run_in(out, config, words, args.quiet)


def run_in(out: Path, config: Config, words: list[str], quiet: bool = False) -> int:
    """Runs the whole demo into an empty folder; returns the exit status."""
    start, print_line = time.perf_counter(), printer(quiet)
    with bar("simulating charged", shown=not quiet) as show:
        data = simulate("charged", TRAINING_TASKS, frames=TRAINING_FRAMES, seed=config.seed)
        show(0.8)
        new = simulate("charged", NEW_TASKS, frames=NEW_FRAMES, seed=config.seed + 1)
    save(data, out / "train.npz")
    save(new, out / "new.npz")
    print_line(f"simulated five charged particles: {data.summary()}")
    print_line(f"training without labels for about {config.minutes:g} min" if not config.epochs else "training")
    run = Run(out / "run")
    job = Job(config, data, Provenance(data))
    status = train_in(run, job, resume_command(out / "train.npz", run), quiet=quiet)
    if status:
        return status

    from bouncegrad.app.pages import run_report
    from bouncegrad.app.tables import evaluation_tables
    from bouncegrad.models.evaluation import evaluate
    from bouncegrad.models.model import Model
    from bouncegrad.results.export import write_edges_csv

    model = Model.load(run.folder)
    evaluation = evaluate(model, new, split="new tasks, never seen in training")
    evaluation.result.save(out / "result.npz")
    write_edges_csv(evaluation.result, out / "edges.csv")
    run_report(run, model, " ".join(["bouncegrad demo", *words]), new, evaluation, out / "report.html")
    print_line(f"\n{NEW_TASKS} new tasks, {evaluation.numbers['context_frames']} frames each:")
    print_line(evaluation_tables(evaluation.numbers))
    print_line(f"\nedge accuracy {evaluation.numbers['edge_accuracy']:.4f}, {time.perf_counter() - start:.0f} s in all")
    print(f"edges:  {out / 'edges.csv'}\nreport: {(out / 'report.html').resolve()}")
    return 0


def clear(out: Path) -> None:
    """Removes the files of an earlier demo from the folder; other files are never touched.

    Raises:
        InputError: the folder has files that are not the demo's, or lacks those that every demo writes first.
    """
    import shutil

    names = {file.name for file in out.iterdir()}
    foreign = sorted(names - OWN_FILES) or (sorted(names) if not names >= FIRST_FILES else [])
    if foreign:
        raise InputError(f"{out}: holds {foreign[0]!r}, which is not the demo's; choose another --out")
    for file in sorted(out.iterdir(), key=Path.is_file):
        if file.is_file():
            file.unlink()
            continue
        with locked(file):  # another process may be training in it; this is why folders are removed before files
            shutil.rmtree(file)
