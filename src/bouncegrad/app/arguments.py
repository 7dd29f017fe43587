"""Options that subcommands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from bouncegrad.app.parser import Parser

ANGLES = "features that are angles: [phase] in radians, [heading:deg] in degrees"
PERIODIC = "positions that wrap at periodic walls, with the size of the box: [x:10,y:10]"
UNIT = "unit of features: their numbers are multiplied by it, [x:0.01,y:0.01]"
ORIGIN = "origin of features, in the unit of the file: it is subtracted, [x:320,y:240]"
EDGES = "file of true edges: a table (task, source, target, type), or a matrix or vector in .npy or .csv"


def add_data_options(parser: Parser, *, train: bool = False, part: str | None = None) -> None:
    """Adds the options that say how recordings are read.

    Args:
        parser: which gets the options.
        train: whether the training part is read by default, rather than the test part.
        part: help of the option `--part`, if the usual one does not fit.
    """
    usual = f"part to read, of data with parts: train, valid, test (default: {'train' if train else 'test'})"
    group = parser.add_argument_group("how the data is read")
    group.add_argument("--part", type=str | None, help=part or usual)
    group.add_argument(
        "--velocities", action="store_true", help="add velocities, computed from positions by central differences"
    )
    group.add_argument(
        "--columns",
        type=str | None,
        metavar="ROLES",
        help="columns of a table: time=frame,entity=particle,task=video,features=[x,y]; of an array: features=[x,y]",
    )
    group.add_argument("--time_step", type=float | None, help="time between two frames, if the file does not say it")
    group.add_argument("--fps", type=float | None, help="frames in a second, in place of a time step")
    group.add_argument(
        "--resample",
        type=str | None,
        metavar="STEP",
        help="for uneven times: interpolate at even frames that are this far apart; `usual` takes the usual step",
    )
    group.add_argument(
        "--missing", type=str | None, metavar="NUMBERS", help="state of a lost entity, such as 0,0: read as missing"
    )
    group.add_argument("--strict", action="store_true", help="refuse recordings in which anything is missing")
    group.add_argument(
        "--keypoints",
        type=Literal["entities", "features"] | None,
        help="body parts (DeepLabCut, SLEAP): each is an entity, or features of its animal",
    )
    group.add_argument(
        "--likelihood", type=float | None, help="DeepLabCut: less likely body parts are missing (default: 0.6)"
    )
    group.add_argument("--angles", type=tuple[str, ...], default=(), help=ANGLES)
    group.add_argument("--periodic", type=tuple[str, ...], default=(), help=PERIODIC)
    group.add_argument("--unit", type=tuple[str, ...], default=(), help=UNIT)
    group.add_argument("--origin", type=tuple[str, ...], default=(), help=ORIGIN)
    group.add_argument("--same_unit", action="store_true", help="bring tasks in another unit than most to that of most")
    group.add_argument(
        "--unswap", action="store_true", help="exchange names back where two entities exchange their places in one step"
    )
    group.add_argument("--edges", type=str | None, metavar="FILE", help=EDGES)
    group.add_argument(
        "--edges_order",
        type=str | None,
        metavar="{source,target}",
        help="for a vector of edges in .npy: its pairs are sorted by source or by target first",
    )
    group.add_argument(
        "--groups",
        type=str | None,
        metavar="TABLE",
        help="with --shared_graph: table (task, group); tasks of one group have the same graph",
    )
    group.add_argument(
        "--kinds",
        type=str | None,
        metavar="TABLE",
        help="table (entity, kind); the entities of each kind have their own node module",
    )


def add_drawn_options(parser: Parser, data: str = "file or folder of recordings") -> None:
    """Adds the options of commands that read new recordings and draw one task; `data` is the help of that argument."""
    parser.add_argument("run", type=str, help="run folder of a trained model")
    parser.add_argument("data", type=str, help=data)
    parser.add_argument("--out", type=str, required=True, help="folder to write")
    parser.add_argument("--context", type=int | None, help="number of frames to read (default: all)")
    parser.add_argument("--task", type=str | None, help="name of the task to draw (default: the first)")
    add_json_option(parser)
    add_quiet_option(parser)
    add_data_options(parser)


def add_json_option(parser: Parser) -> None:
    """Adds the option for scripts that read the results of a command from its output."""
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def add_quiet_option(parser: Parser) -> None:
    """Adds the option for scripts that need the paths of the results, and errors, but no other output."""
    parser.add_argument("--quiet", action="store_true", help="show no progress; print only the files written")


def printer(quiet: bool) -> Callable[[str], None]:
    """Returns a function that prints a line, or does nothing if `quiet`; commands always print the files written."""
    return (lambda line: None) if quiet else print


def add_device_option(parser: Parser) -> None:
    """Adds the choice of the device that computes."""
    parser.add_argument("--device", type=str, default="cpu", help="cpu, cuda (a GPU), or auto: a GPU if there is one")


def add_known_option(parser: Parser) -> None:
    """Adds the table of edges that the user knows."""
    parser.add_argument(
        "--known", type=str | None, metavar="TABLE", help="table of edges that you know (task, source, target, type)"
    )
