"""`bouncegrad train --data DATA --out RUN`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np
from jaxtyping import Int
from jsonargparse import Namespace

from bouncegrad.app import regression
from bouncegrad.app.arguments import (
    Parser,
    add_data_options,
    add_known_option,
    add_quiet_option,
    load_data,
    load_known,
    reading,
    require_in_use,
    told,
)
from bouncegrad.app.cli import launched
from bouncegrad.app.progress import bar, training_numbers
from bouncegrad.app.signals import stop_signal
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.regression import PRESETS as REGRESSION
from bouncegrad.runs.folder import Run
from bouncegrad.runs.provenance import Origin, fingerprint
from bouncegrad.runs.tensorboard import events, has_events
from bouncegrad.settings.config import PRESETS, Config, preset

if TYPE_CHECKING:
    from bouncegrad.fitting.edge_types import Choice


def parser() -> Parser:
    """Arguments: where data comes from and goes to, and every field of `Config`."""
    parser = Parser("train", usage="bouncegrad train --data DATA --out OUT", default_env=False)
    parser.add_argument("--data", type=str | None, help="file or folder of recordings")
    parser.add_argument("--out", type=str | None, help="run folder to write")
    parser.add_argument(
        "--preset",
        type=str | None,
        help="a named experiment; options on the command line win; those of regression tasks, such as sines-maml, have "
        "options of their own: --preset sines-maml --help",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, with its own settings")
    parser.add_argument(
        "--new",
        type=str | None,
        help="tasks that the run is validated on while it trains (file or folder; of the training data only held-out "
        "tasks, or the part valid, are used)",
    )
    parser.add_argument("--tensorboard", action="store_true", help="write the metrics for TensorBoard, too")
    add_known_option(parser)
    add_quiet_option(parser)
    add_data_options(parser, train=True)
    parser.add_argument("--config", action="config", help="YAML file of settings; options after it win")
    parser.add_class_arguments(Config, None, help="settings (see also --print_config)")
    return parser


def main(words: list[str]) -> int:
    """Trains, or goes on training; returns 130 when interrupted."""
    if name := regression.preset_of(words):
        if launched()[1] > 1:
            raise InputError(f"preset {name}: cannot be shared by {launched()[1]} processes; start it without torchrun")
        return regression.train(words, name)
    args = parser().parse_args(with_preset(with_flags(words)))
    if args.preset:
        raise InputError(f"option preset: {args.preset!r} stands in a settings file; give it on the command line")
    if not args.data or not args.out:
        raise InputError(f"--{'out' if args.data else 'data'} is missing; see bouncegrad train --help")
    run, config = Run(args.out), to_config(args)
    if args.resume:
        for name, value in (run.about()["read"] or {}).items():
            setattr(args, name, getattr(args, name) or value)
    whole, part = load_data(args.data, args, "train")
    held_out = None
    if args.resume:
        run.require_same(whole)
        held_out = run.about()["held_out"]
    elif part is None and round(config.holdout * len(whole.tasks)) > 0:
        held_out = hold_out(whole, config)
    kept = np.setdiff1d(np.arange(len(whole.tasks)), held_out or [])
    data = whole.select(kept) if held_out else whole
    new = None if args.new is None else new_tasks(args, whole, held_out)
    known = load_known(args, whole)
    known = known if known is None else known[kept]
    losses: dict[int, float] = {}
    if args.resume:
        config = settings_of(run, config, data.shape, args)
    require_in_use(args, config)
    say = told(args.quiet)
    say(f"{args.data}: {data.summary()}" + (f"; {len(held_out)} tasks held out" if held_out else ""))
    if config.edge_types == "auto":
        run.require_free()
        config, losses = choose(config, data, known, args.quiet)
    stated = (*config.resolve(data.shape).priors, *([] if known is None else [f"known edges of {args.known}"]))
    if stated:
        say(f"stated beforehand: {', '.join(stated)}")
    again = resume_command(args.data, run) + (f" --part {args.part}" if args.part else "")
    origin = Origin(whole, held_out, reading(args) | {"new": args.new}, losses)
    tensorboard = args.tensorboard or (args.resume and has_events(run))
    return train_in(
        run, config, data, origin, again, known, new, resume=args.resume, tensorboard=tensorboard, quiet=args.quiet
    )


def with_preset(words: list[str]) -> list[str]:
    """The preset's file in place of its name, before all other options, so that these win."""
    for i, word in enumerate(words):
        if word.startswith("--preset="):
            return ["--config", str(preset(word.partition("=")[2], REGRESSION)), *words[:i], *words[i + 1 :]]
        if word == "--preset" and i + 1 < len(words):
            return ["--config", str(preset(words[i + 1], REGRESSION)), *words[:i], *words[i + 2 :]]
    return words


def with_flags(words: list[str]) -> list[str]:
    """`--symmetric` may be written for `--symmetric true`."""
    flags = {f"--{name}" for name, hint in get_type_hints(Config).items() if hint is bool}
    return [
        f"{word}=true" if word in flags and words[i + 1 : i + 2] not in (["true"], ["false"]) else word
        for i, word in enumerate(words)
    ]


def to_config(args: Namespace) -> Config:
    """The settings among the parsed arguments."""
    files = [str(path) for path in args.config or () if path is not None and Path(path).parent != PRESETS]
    source = " and ".join(["command line", *files])
    return Config.from_mapping({f.name: getattr(args, f.name) for f in fields(Config)}, source)


def choose(config: Config, data: Trajectories, known: Int[np.ndarray, "M N N"] | None, quiet: bool = False) -> Choice:
    """The number of edge types, with progress; said as a table."""
    from bouncegrad.fitting.edge_types import settle_edge_types

    with bar("choosing edge types", shown=not quiet) as show:
        choice = settle_edge_types(config, data, known, lambda types, row, share: show(share, f"K = {types}"))
    told(quiet)("\n".join(choice.lines()))
    return choice


def settings_of(run: Run, given: Config, shape: tuple[int, int, int, int], args: Namespace) -> Config:
    """The settings of the run; those given again must be the same.

    Raises:
        InputError: a setting was given that the run was not trained with.
    """
    config, auto = run.config(), given.edge_types == "auto"
    # The time of a run whose types were chosen is what the choice has left.
    chosen = {"edge_types", "epochs", "minutes"} if auto else set()
    given = (replace(given, edge_types=config.edge_types) if auto else given).resolve(shape)
    for f in fields(Config):
        value, old = getattr(given, f.name), getattr(config, f.name)
        if f.name not in chosen and getattr(args, f.name) != f.default and value != old:
            raise InputError(
                f"option {f.name}: {value}, but {run.folder} has {old}, which --resume goes on with; leave it out, or "
                "choose another --out"
            )
    return config


def hold_out(whole: Trajectories, config: Config) -> list[int]:
    """Indices of the tasks kept for evaluation."""
    _, held = whole.split(config.holdout, config.seed)
    names = set(held.tasks)
    return [i for i, name in enumerate(whole.tasks) if name in names]


def new_tasks(args: Namespace, whole: Trajectories, held_out: list[int] | None) -> Trajectories:
    """The tasks that the run is validated on.

    Raises:
        InputError: they are the training tasks.
    """
    other = Namespace(**(vars(args) | {"part": None, "edges": args.edges if args.new == args.data else None}))
    new, _ = load_data(args.new, other, "valid")
    if fingerprint(new) != fingerprint(whole):
        return new
    if not held_out:
        raise InputError(f"option new: {args.new} are the training tasks, of which none is held out; give other tasks")
    return whole.select(held_out)


def resume_command(data: str | Path, run: Run) -> str:
    """What to type to go on with an interrupted run; how the data was read is kept in the run."""
    return f"bouncegrad train --resume --data {shlex.quote(str(data))} --out {shlex.quote(str(run.folder))}"


def train_in(
    run: Run,
    config: Config,
    data: Trajectories,
    origin: Origin,
    again: str,
    known: Int[np.ndarray, "M N N"] | None = None,
    new: Trajectories | None = None,
    *,
    resume: bool = False,
    tensorboard: bool = False,
    quiet: bool = False,
) -> int:
    """Trains into a run folder, with progress, and survives Ctrl-C with a checkpoint; `again` says how to go on."""
    from bouncegrad.core.distributed import LostProcess, joined
    from bouncegrad.fitting.stages import train

    say = told(quiet)

    def report(row: dict[str, Any], progress: float) -> None:
        show(progress, training_numbers(row))
        if board is not None:
            board(row)

    try:
        with (
            joined(*launched()) as processes,
            events(run, tensorboard and processes.first) as board,
            bar("training", shown=processes.first and not quiet) as show,
            stop_signal() as stopped,
        ):
            _, loop, rows = train(
                config,
                data,
                run,
                origin=origin,
                known=known,
                new=new,
                resume=resume,
                stop=stopped,
                report=report,
                say=show.say if processes.first and not quiet else lambda line: None,
                processes=processes,
            )
    except LostProcess:
        print(f"bouncegrad: another process has ended; go on from the last checkpoint with: {again}", file=sys.stderr)
        return 1
    # The signal may have come to another process: then the checkpoint says that this is not the end.
    if stopped() or (processes.count > 1 and processes.first and run.progress < 1):
        print(f"stopped; go on with: {again}")
        return 130
    if loop.skipped:
        say(f"{loop.skipped} gradient steps were outliers or not finite, and were skipped")
    if found := [row for row in rows if "edge_accuracy" in row]:
        last = found[-1]
        known = last["edge_accuracy"]
        accuracy = "not available, no truth" if known is None else f"{known:.4f} on the training tasks"
        if (found_anew := last.get("new_edge_accuracy")) is not None:
            accuracy += f", {found_anew:.4f} on new ones"
        say(f"{last['epoch']} epochs in {last['seconds']:.0f} s, loss {last['loss']:.4f}, edge accuracy {accuracy}")
        if last["names"]:
            say(f"names of the types: {last['names']}")
    print(f"wrote {run.folder}")
    return 0
