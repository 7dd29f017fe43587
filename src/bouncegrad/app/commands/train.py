"""`bouncegrad train --data DATA --out RUN`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields

import numpy as np
from jsonargparse import Namespace

from bouncegrad.app.arguments import Parser, add_data_options, load_data, reading
from bouncegrad.app.config import Config, preset
from bouncegrad.app.progress import bar, training_numbers
from bouncegrad.app.run import Origin, Run
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories


def parser() -> Parser:
    """Arguments: where data comes from and goes to, and every field of `Config`."""
    parser = Parser("train", default_env=False)
    parser.add_argument("--data", type=str | None, help="file or folder of recordings")
    parser.add_argument("--out", type=str | None, help="run folder to write")
    parser.add_argument("--preset", type=str | None, help="a named experiment; options on the command line win")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, with its own settings")
    add_data_options(parser, train=True)
    parser.add_argument("--config", action="config", help="YAML file of settings; options after it win")
    parser.add_class_arguments(Config, None, help="settings (see also --print_config)")
    return parser


def main(words: list[str]) -> int:
    """Trains, or goes on training; returns 130 when interrupted."""
    args = parser().parse_args(with_preset(words))
    if not args.data or not args.out:
        raise InputError(f"--{'out' if args.data else 'data'} is missing; see bouncegrad train --help")
    run = Run(args.out)
    config = run.config() if args.resume else to_config(args)
    whole, part = load_data(args.data, args, "train")
    data, held_out = whole, None
    if part is None and config.holdout and len(whole.tasks) > 1:
        held_out, data = hold_out(whole, config)
    print(f"{args.data}: {data.summary()}" + (f"; {len(held_out)} tasks held out" if held_out else ""))
    return train_in(run, config, data, Origin(whole, held_out, reading(args)), resume=args.resume)


def with_preset(words: list[str]) -> list[str]:
    """The preset's file put before all other options, so that these win."""
    for i, word in enumerate(words):
        name = word.partition("=")[2] if word.startswith("--preset=") else words[i + 1 : i + 2]
        if word.startswith("--preset=") or (word == "--preset" and name):
            return ["--config", str(preset(name if isinstance(name, str) else name[0])), *words]
    return words


def to_config(args: Namespace) -> Config:
    """The settings among the parsed arguments."""
    return Config.from_mapping({f.name: getattr(args, f.name) for f in fields(Config)}, "settings")


def hold_out(whole: Trajectories, config: Config) -> tuple[list[int], Trajectories]:
    """Indices of the tasks kept for evaluation, and the training part."""
    _, held = whole.split(config.holdout, config.seed)
    index = sorted(whole.tasks.index(name) for name in held.tasks)
    return index, whole.select(np.setdiff1d(np.arange(len(whole.tasks)), index))


def train_in(run: Run, config: Config, data: Trajectories, origin: Origin, *, resume: bool = False) -> int:
    """Trains into a run folder, with progress, and survives Ctrl-C with a checkpoint."""
    from bouncegrad.app.training import train

    with bar("training") as show, stop_signal() as stopped:
        _, loop, rows = train(
            config,
            data,
            run,
            origin=origin,
            resume=resume,
            stop=stopped,
            report=lambda row, schedule: show(schedule.progress, training_numbers(row)),
        )
    if stopped():
        print(f"stopped; go on with: bouncegrad train --resume --data {data.source} --out {run.folder}")
        return 130
    if loop.skipped:
        print(f"{loop.skipped} gradient steps were not finite and were skipped")
    if rows:
        last = rows[-1]
        known = last["edge_accuracy"]
        accuracy = "not available, no truth" if known is None else f"{known:.4f} on the training tasks"
        print(f"{last['epoch']} epochs in {last['seconds']:.0f} s, loss {last['loss']:.4f}, edge accuracy {accuracy}")
    print(f"wrote {run.folder}")
    return 0


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """A question that is true after Ctrl-C or SIGTERM; a second signal ends at once."""
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
