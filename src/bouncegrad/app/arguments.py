"""What subcommands share: parsers whose errors are one line, and the options that say how data is read."""

from __future__ import annotations

import re
import sys
from argparse import SUPPRESS, Action
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace

from bouncegrad.app.cli import COMMANDS
from bouncegrad.data.errors import InputError
from bouncegrad.settings.safe_yaml import require_plain

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Int

    from bouncegrad.data.trajectories import Trajectories
    from bouncegrad.runs.folder import Run
    from bouncegrad.settings.config import Config

PARTS = ("train", "valid", "test")
READING = ("edges", "edges_order", "velocities", "time_step", "resample", "angles", "groups", "kinds")
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "tuple": "a list such as [a,b]",
}


class HelpFormatter(DefaultHelpFormatter):
    """Help in words: a default where there is one to tell, no types of the program, a usage of one line."""

    def _get_help_string(self, action: Action) -> str:
        if action.dest == "print_config":
            return "print all settings as YAML and exit"
        text = (action.help or "").removesuffix(".")
        nothing = action.default in (None, SUPPRESS) or action.default is False or not action.option_strings
        return text if nothing or "default" in text else f"{text} (default: %(default)s)"

    def _format_usage(self, usage: str | None, actions: Iterable[Action], *args: Any, **kwargs: Any) -> str:
        needed = [action for action in actions if action.required]
        words = [action.dest for action in needed if not action.option_strings]
        words += [f"{action.option_strings[0]} {action.dest.upper()}" for action in needed if action.option_strings]
        return f"usage: {' '.join([usage or self._prog, *words])} [options]\n\n"


class Parser(ArgumentParser):
    """A parser of one subcommand that raises `InputError` where argparse would print its usage and exit.

    Options are written out in full: an abbreviated --preset would be parsed, but its file not be read.
    """

    def __init__(self, command: str, **kwargs: Any) -> None:
        about = COMMANDS[command]
        super().__init__(
            prog=f"bouncegrad {command}",
            description=about[0].upper() + about[1:] + ".",
            formatter_class=HelpFormatter,
            allow_abbrev=False,
            **kwargs,
        )

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """One line, with the way to more help."""
        raise InputError(f"{readable(message)}; see {self.prog} --help")

    def parse_path(self, path: Any, *args: Any, **kwargs: Any) -> Namespace:
        """As inherited; what is wrong in a settings file is said with its name."""
        try:
            require_plain(Path(str(path)).read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            pass  # said below
        except ValueError as error:
            raise InputError(f"{path}: {error}") from None
        try:
            settings = super().parse_path(path, *args, **kwargs)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (ValueError, RecursionError):
            raise InputError(f"{path}: is no YAML file of settings; write lines such as `edge_types: 3`") from None
        known = {action.dest for action in self._actions}
        if unknown := [name for name in vars(settings) if name not in known]:
            raise InputError(f"{path}: option {unknown[0]!r} is not known; see {self.prog} --help")
        return settings


def readable(message: str) -> str:
    """What the parsing library says, in one line and in plain words; what it says in another form is left as it is.

    Example:
        >>> readable('''Parser key "batch": Expected a <class 'int'>. Got value: x''')
        "option batch: 'x' cannot be used; give a whole number"
    """
    line = " ".join(str(message).replace(' in "<unicode string>",', " at").split())
    if other := re.fullmatch(r"Unexpected config: ?(.*)", line):
        found = repr(other[1][:60]) if other[1] else "nothing"
        return f"found {found} in place of settings; write lines such as `edge_types: 3`"
    if not (key := re.fullmatch(r'Parser key "(\w+)": (.*)', line)):
        return line
    wanted: list[str] = []
    if value := re.fullmatch(r"(.*) (?:Got|Given) value: ?(.*)", key[2]):
        choices = re.search(r"Literal\[(.*?)\]", value[1])
        kinds = dict.fromkeys(KINDS[kind] for kind in re.findall(r"<class '(\w+)'>", value[1]) if kind in KINDS)
        wanted = [*kinds, *(choices[1].replace("'", "").split(", ") if choices else [])]
        wanted = wanted or (["a text, in quotes where it looks like a number"] if "class 'str'" in value[1] else [])
    if value and wanted:
        return f"option {key[1]}: {value[2]!r} cannot be used; give {' or '.join(wanted)}"
    return f"option {key[1]}: {key[2]}"


def add_data_options(parser: Parser, *, train: bool = False, part: str | None = None) -> None:
    """How the data is read; `part` is what to say of that option."""
    usual = f"part or case, where the data has such: train, valid, test (default: {'train' if train else 'test'})"
    group = parser.add_argument_group("how the data is read")
    group.add_argument("--part", type=str | None, help=part or usual)
    group.add_argument(
        "--edges",
        type=str | None,
        help="true edges: a table (task, source, target, type), or a matrix or vector in .npy or .csv",
    )
    group.add_argument(
        "--edges_order",
        type=str | None,
        help="for a vector of edges in .npy, by what its pairs are sorted first: source or target",
    )
    group.add_argument(
        "--velocities", action="store_true", help="add velocities, derived from positions by central differences"
    )
    group.add_argument("--time_step", type=float | None, help="time between frames, if the file does not say")
    group.add_argument(
        "--resample",
        type=str | None,
        help="for uneven times: interpolate at even frames, so far apart; `usual` takes the usual step",
    )
    group.add_argument(
        "--groups", type=str | None, help="for --shared_graph: table (task, group) of tasks that have a graph in common"
    )
    group.add_argument(
        "--kinds", type=str | None, help="table (entity, kind); entities of each kind have a node module of their own"
    )
    group.add_argument(
        "--angles",
        type=tuple[str, ...],
        default=(),
        help="features that are angles and wrap: [phase] in radians, [heading:deg] in degrees",
    )


def add_drawn_options(parser: Parser, data: str = "file or folder of recordings") -> None:
    """What commands share that look at new recordings and draw one of them; `data` is what to say of these."""
    parser.add_argument("run", type=str, help="run folder of a trained model")
    parser.add_argument("data", type=str, help=data)
    parser.add_argument("--out", type=str, required=True, help="folder to write")
    parser.add_argument("--context", type=int | None, help="frames that are looked at (default: all)")
    parser.add_argument("--task", type=str | None, help="name of the task in the picture (default: the first)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    add_quiet_option(parser)
    add_data_options(parser)


def add_quiet_option(parser: Parser) -> None:
    """For scripts, which want to know where results are and what went wrong."""
    parser.add_argument("--quiet", action="store_true", help="no progress, and print nothing but the files written")


def told(quiet: bool) -> Callable[[str], None]:
    """Says a line, or nothing where quiet is asked for; files that were written are printed in any case."""
    return (lambda line: None) if quiet else print


def add_device_option(parser: Parser) -> None:
    """Where modules are evaluated."""
    parser.add_argument("--device", type=str, default="cpu", help="cpu, cuda (a graphics card), or auto: what is there")


def add_known_option(parser: Parser) -> None:
    """Edges that the user knows."""
    parser.add_argument(
        "--known", type=str | None, help="table of edges that need not be found (task, source, target, type)"
    )


def load_known(args: Namespace, data: Trajectories) -> Int[np.ndarray, "M N N"] | None:
    """Their types, -1 where not known."""
    if args.known is None:
        return None
    from bouncegrad.data.formats.edge_table import read_edges

    return read_edges(Path(args.known), data, unlisted=-1)


def load_new(args: Namespace, config: Config) -> tuple[Trajectories, str | None]:
    """Recordings that a trained model is shown, and which part they are."""
    require_in_use(args, config)
    return load_data(args.data, args, "test", tell=not (args.json or args.quiet))


def require_in_use(args: Namespace, config: Config) -> None:
    """Refuses groups of tasks for a model in which tasks have nothing in common."""
    if args.groups is not None and not config.shared_graph:
        raise InputError("option groups: only models trained with --shared_graph know any; add that, or leave this out")


def load_data(
    path: str, args: Namespace, default_part: str | None, *, tell: bool = False
) -> tuple[Trajectories, str | None]:
    """The recordings and which part they are, None for data without parts; what is not as recorded is told if asked."""
    from bouncegrad.data.formats import load, parts  # here, so that help does not load pandas

    found = parts(path)
    part = args.part
    # Of cases with names of their own none is the natural one, so `load` asks for a choice.
    if part is None and (len(found) == 1 or set(found) & set(PARTS)):
        part = default_part if default_part in found else found[0]
    reading = {name: getattr(args, name) for name in READING}
    data = load(path, part=part, **reading)
    if tell and data.notes:
        print(f"{path}: {', '.join(data.notes)}")
    return data, part


def reading(args: Namespace) -> dict[str, Any]:
    """The options that say how the data was read, to read it again later."""
    return {name: getattr(args, name) for name in (*READING, "known")}


def new_folder(path: str) -> Path:
    """A folder to write results into, made if need be."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose a folder you may write to") from None
    return folder


def warn_if_unfinished(run: Run) -> None:
    """Prints one line on stderr if training was stopped before its end."""
    if (progress := run.progress) < 1:
        print(
            f"bouncegrad: note: training of {run.folder} was stopped at {progress:.0%}, its modules are half "
            f"learned; finish it with bouncegrad train --resume --data DATA --out {run.folder}",
            file=sys.stderr,
        )
