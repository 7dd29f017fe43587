"""What subcommands share: parsers whose errors are one line, and the options that say how data is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace

from bouncegrad.app.cli import COMMANDS
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, parts
from bouncegrad.data.trajectories import Trajectories


class Parser(ArgumentParser):
    """A parser of one subcommand that raises `InputError` where argparse would print its usage and exit."""

    def __init__(self, command: str, **kwargs: Any) -> None:
        about = COMMANDS[command]
        super().__init__(
            prog=f"bouncegrad {command}",
            description=about[0].upper() + about[1:] + ".",
            formatter_class=DefaultHelpFormatter,
            default_meta=False,
            **kwargs,
        )

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """One line, with the way to more help."""
        lines = [line.strip() for line in str(message).splitlines() if line.strip()]
        raise InputError(f"{' '.join(lines)}; see {self.prog} --help")


def add_data_options(parser: Parser, *, train: bool = False) -> None:
    """How the data is read."""
    default = "train" if train else "test"
    group = parser.add_argument_group("how the data is read")
    group.add_argument(
        "--part", type=str | None, help=f"train, valid or test, where the data has parts (default: {default})"
    )
    group.add_argument("--edges", type=str | None, help="table of true edges (task, source, target, type)")
    group.add_argument(
        "--velocities", action="store_true", help="add velocities, derived from positions by central differences"
    )
    group.add_argument("--time_step", type=float | None, help="time between frames, if the file does not say")


def load_data(path: str, args: Namespace, default_part: str | None) -> tuple[Trajectories, str | None]:
    """The recordings and which part they are; None for data without parts."""
    found = parts(path)
    part = args.part
    if part is None and found:
        part = default_part if default_part in found else found[0]
    data = load(path, part=part, edges=args.edges, velocities=args.velocities, time_step=args.time_step)
    return data, part


def reading(args: Namespace) -> dict[str, Any]:
    """The options that say how the data was read, to read it again later."""
    return {name: getattr(args, name) for name in ("edges", "velocities", "time_step")}


def new_folder(path: str) -> Path:
    """A folder to write results into, made if need be."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose a folder you may write to") from None
    return folder
