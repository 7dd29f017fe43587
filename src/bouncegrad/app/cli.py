"""The command `bouncegrad`: runs one subcommand, and turns errors of the user into one line and status 2.

Only the module of this subcommand is imported, so that help is fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from bouncegrad.app.signals import terminated_as_interrupted
from bouncegrad.data.errors import InputError

COMMANDS = {
    "demo": "simulate, train, infer, evaluate and report, with built-in settings",
    "simulate": "make recordings of a simulated system, with the true edges",
    "inspect": "describe recordings, and warn of what looks wrong",
    "convert": "write recordings in another format",
    "train": "learn modules and structures from recordings, without labels",
    "infer": "find who interacts with whom in new recordings",
    "distil": "teach an encoder to answer as a trained model does, in one pass",
    "predict": "forecast new recordings, with intervals",
    "without": "forecast recordings with and without one entity",
    "unseen": "find the track and the edges of an entity that was not recorded",
    "evaluate": "measure a trained model on new tasks, beside baselines",
    "report": "write one self-contained HTML page about a run or a result",
    "export": "write inferred graphs for other tools",
    "benchmark": "measure a table of figures, beside published values",
}

LONGEST = 1000  # characters of a message; names and cells that it quotes may be of any length


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one subcommand and returns the exit status: 0 success, 2 wrong usage or input, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    # Threads of matrix products spin while they wait, and so take cores from other programs. With short spinning, a
    # training step beside a second run took 33 ms instead of 79 ms; a run alone took 8 % longer.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    if launched()[0] > 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for as long as the process lives
    try:
        with terminated_as_interrupted():
            status = dispatch(words)
        print(end="", flush=True)  # at exit, an error of a closed pipe could not be caught
        return status
    except InputError as error:
        return print_error(str(error), 2)
    except KeyboardInterrupt:
        return print_error("interrupted", 130)
    except BrokenPipeError:
        discard_output()
        return 0
    except OSError as error:
        if error.filename is None:
            discard_output()
        where = error.filename or "standard output"
        return print_error(f"{where}: {error.strerror or error}; make room or choose another place", 2)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
            raise
        return print_error(
            "memory is not enough; give fewer or shorter recordings, a smaller --batch or narrower modules", 2
        )


def dispatch(words: list[str]) -> int:
    """Runs the named subcommand and returns its status; prints help and version."""
    if not words or with_underscores(words[0]) in ("-h", "--help", "--help_all"):
        print(overview())
        return 0
    if words[0] == "--version":
        from bouncegrad import __version__

        print(f"bouncegrad {__version__}")
        return 0
    if words[0] not in COMMANDS:
        raise InputError(f"command {words[0]!r} is not known; choose one of {', '.join(COMMANDS)}")
    if launched()[1] > 1 and words[0] != "train":
        raise InputError(f"{words[0]}: cannot be shared by {launched()[1]} processes; start it without torchrun")
    command = import_module(f"bouncegrad.app.commands.{words[0]}")
    try:
        return int(command.main([with_underscores(word) for word in words[1:]]) or 0)
    except SystemExit as end:  # --help and --print_config end in this way
        return int(end.code or 0)


def launched() -> tuple[int, int]:
    """Returns the rank of this process and the number of processes, as torchrun states them; (0, 1) without it."""
    rank, count = (os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE"))
    return (int(rank), int(count)) if rank.isdecimal() and count.isdecimal() and int(rank) < int(count) else (0, 1)


def print_error(line: str, status: int) -> int:
    """Prints one line on stderr, from the first process if there are several; returns the status.

    Control characters are escaped, because names in the line may come from files of others.
    """
    if launched()[0] > 0:
        return status
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    if len(shown) > LONGEST:
        shown = f"{shown[: LONGEST // 2]} ... {shown[-LONGEST // 2 :]}"
    print(f"bouncegrad: {shown}", file=sys.stderr)
    return status


def discard_output() -> None:
    """Drops the output that is not written yet; a closed pipe or a full disk would fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)


def with_underscores(word: str) -> str:
    """Replaces hyphens in the name of an option by underscores, so that `--edge-types 3` is understood."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def overview() -> str:
    """Returns the help screen of the command itself."""
    width = max(map(len, COMMANDS))
    rows = "\n".join(f"  {name:<{width}}  {what}" for name, what in COMMANDS.items())
    return (
        "usage: bouncegrad COMMAND [options]\n\n"
        "Infers who interacts with whom, and how, from recorded trajectories,\n"
        "and learns the laws of interaction.\n\n"
        f"commands:\n{rows}\n\n"
        "`bouncegrad COMMAND --help` shows the options of a command. First steps:\n"
        "  bouncegrad demo\n"
        "  bouncegrad inspect TRACKS.csv\n"
        "  bouncegrad train --data TRACKS.csv --out run\n"
        "  bouncegrad infer run TRACKS.csv --out result"
    )


if __name__ == "__main__":
    sys.exit(main())
