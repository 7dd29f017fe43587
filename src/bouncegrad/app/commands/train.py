"""`bouncegrad train --data DATA --out RUN`."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from jsonargparse import Namespace

from bouncegrad.app import regression
from bouncegrad.app.arguments import printer
from bouncegrad.app.cli import launched
from bouncegrad.app.options import train_parser, with_flags, with_preset
from bouncegrad.app.progress import bar
from bouncegrad.app.recordings import reading_options, require_groups_used
from bouncegrad.app.resuming import restore_reading, resume_command, settings_of
from bouncegrad.app.signals import stop_signal
from bouncegrad.app.tasks import read_tasks, validation_tasks
from bouncegrad.app.training import Job, train_in
from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.result import origins
from bouncegrad.runs.folder import Run
from bouncegrad.runs.lock import locked
from bouncegrad.runs.provenance import Provenance
from bouncegrad.runs.tensorboard import has_events
from bouncegrad.settings.config import PRESETS, Config
from bouncegrad.settings.resolved import chosen_search, resolve

if TYPE_CHECKING:
    from bouncegrad.fitting.edge_types import Choice
    from bouncegrad.fitting.variants import Chosen


def main(words: list[str]) -> int:
    """Trains a new run, or resumes one; returns 130 after Ctrl-C."""
    if name := regression.preset_of(words):
        if launched()[1] > 1:
            raise InputError(f"preset {name}: cannot be shared by {launched()[1]} processes; start it without torchrun")
        return regression.train(words, name)
    args = train_parser().parse_args(with_preset(with_flags(words)))
    if args.preset:
        raise InputError(f"option preset: {args.preset!r} stands in a settings file; give it on the command line")
    if not args.data or not args.out:
        raise InputError(f"--{'out' if args.data else 'data'} is missing; see bouncegrad train --help")
    run, config = Run(args.out), to_config(args)
    if args.resume:
        restore_reading(args, run)
    tasks = read_tasks(args, config, run)
    data, new, known = tasks.training, validation_tasks(args, tasks), tasks.known(args)
    if args.resume:
        config = settings_of(run, config, data.shape, args)
    require_groups_used(args, config)
    print_line = printer(args.quiet)
    held_out = f"; {len(tasks.held_out)} tasks held out" if tasks.held_out else ""
    print_line(f"{args.data}: {data.summary()}{held_out}")
    losses: dict[int, float] = {}
    if config.edge_types == "auto":
        run.require_free()
        config, losses = choose(config, data, known, args.quiet)
    chosen = None
    if not args.resume and launched()[1] == 1:
        chosen = choose_variant(config, data, known, run, args.quiet)
        config = config if chosen is None else chosen.config
    resolved = resolve(config, data.shape)
    _, why = chosen_search(config, data.shape, resolved.loss)
    if config.search == "auto" and why:
        print_line(f"search: {resolved.search}, {why}")
    told = () if chosen is None else chosen.priors
    for origin, priors in origins([*resolved.priors, *known_of(args, known)], told).items():
        print_line(f"{origin}: {priors}")
    provenance = Provenance(tasks.whole, tasks.held_out, reading_options(args) | {"new": args.new}, losses)
    if chosen is not None:
        provenance = provenance._replace(held_out_frames=chosen.to_json())
    return train_in(
        run,
        Job(config, data, provenance, known, new, args.resume),
        resume_command(args.data, run, args.part),
        tensorboard=args.tensorboard or (args.resume and has_events(run)),
        quiet=args.quiet,
    )


def known_of(args: Namespace, known: Int[np.ndarray, "M N N"] | None) -> list[str]:
    """Returns that edges are known, in words; nothing if none are."""
    return [] if known is None else [f"known edges of {args.known}"]


def to_config(args: Namespace) -> Config:
    """Returns the settings among the parsed arguments."""
    files = [str(path) for path in args.config or () if path is not None and Path(path).parent != PRESETS]
    source = " and ".join(["command line", *files])
    return Config.from_mapping({f.name: getattr(args, f.name) for f in fields(Config)}, source)


def choose(config: Config, data: Trajectories, known: Int[np.ndarray, "M N N"] | None, quiet: bool = False) -> Choice:
    """Chooses the number of edge types; shows progress, and prints the losses as a table."""
    from bouncegrad.fitting.edge_types import settle_edge_types

    with bar("choosing edge types", shown=not quiet) as show:
        choice = settle_edge_types(config, data, known, lambda types, row, share: show(share, f"K = {types}"))
    printer(quiet)("\n".join(choice.lines()))
    return choice


def choose_variant(
    config: Config, data: Trajectories, known: Int[np.ndarray, "M N N"] | None, run: Run, quiet: bool
) -> Chosen | None:
    """Chooses settings by held-out frames where recordings are few; prints what was tried, and the verdict."""
    from bouncegrad.fitting.variants import chooses, settle_variants

    if not chooses(config):
        return None
    with locked(run.folder), bar("held-out frames", shown=not quiet) as show, stop_signal() as stopped:
        run.require_free()
        chosen = settle_variants(config, data, known, lambda name, row, share: show(share, name), stopped)
    if stopped():
        raise KeyboardInterrupt
    if chosen is not None:
        printer(quiet)("\n".join(chosen.lines()))
    return chosen
