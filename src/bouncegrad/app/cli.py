"""The command `bouncegrad`: finds the subcommand, parses its arguments, turns user errors into one line and status 2.

Only the chosen subcommand's module is imported, so that help is instant.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from bouncegrad.app.signals import terminated_as_interrupted
from bouncegrad.data.errors import InputError

COMMANDS = {
    "demo": "simulate, train, infer, evaluate and report, on a built-in default",
    "simulate": "make recordings of a known system, with the truth",
    "inspect": "say what is in a file or folder, and what looks wrong with it",
    "convert": "write recordings of one format in another",
    "train": "learn interaction modules and structures from recordings, without labels",
    "infer": "find who interacts with whom in new recordings",
    "predict": "forecast new recordings, with the spread of their futures",
    "without": "say what would be if one entity were not there",
    "unseen": "find the track and the edges of an entity that was not recorded",
    "evaluate": "measure a trained model on tasks it has not seen, beside baselines",
    "report": "measure a run, or take a result, and write it as one self-contained HTML page",
    "export": "write inferred graphs for other tools",
    "benchmark": "rerun a published table here: accuracy, forecasts or speed",
}

LONGEST = 1000  # letters of a message, which may quote names and cells of any length


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one subcommand; returns the exit status (0 good, 2 bad usage or input, 130 interrupted)."""
    words = list(sys.argv[1:] if argv is None else argv)
    # Threads of matrix products that wait by spinning take the cores from other programs, and these from them: beside a
    # second run a training step took 79 ms, with short spinning 33 ms, and 8 % more than before when alone.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    if launched()[0] > 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for as long as the process lives
    try:
        with terminated_as_interrupted():
            status = dispatch(words)
        print(end="", flush=True)  # here rather than at exit, where a closed pipe could not be caught
        return status
    except InputError as error:
        return complain(str(error), 2)
    except KeyboardInterrupt:
        return complain("interrupted", 130)
    except BrokenPipeError:
        discard_output()
        return 0
    except OSError as error:
        if error.filename is None:
            discard_output()
        where = error.filename or "standard output"
        return complain(f"{where}: {error.strerror or error}; make room or choose another place", 2)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
            raise
        return complain(
            "memory is not enough; give fewer or shorter recordings, a smaller --batch or narrower modules", 2
        )


def dispatch(words: list[str]) -> int:
    """The status of the chosen subcommand; help and version are printed here."""
    if not words or words[0] in ("-h", "--help"):
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
    except SystemExit as end:  # after a command's --help or --print_config
        return int(end.code or 0)


def launched() -> tuple[int, int]:
    """Number of this process and of all, as torchrun states them; (0, 1) without it."""
    rank, count = (os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE"))
    return (int(rank), int(count)) if rank.isdecimal() and count.isdecimal() and int(rank) < int(count) else (0, 1)


def complain(line: str, status: int) -> int:
    """One line on stderr, from the first process if there are several.

    What names from outside bring with them to steer a terminal is shown, not obeyed.
    """
    if launched()[0] > 0:
        return status
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    if len(shown) > LONGEST:
        shown = f"{shown[: LONGEST // 2]} ... {shown[-LONGEST // 2 :]}"
    print(f"bouncegrad: {shown}", file=sys.stderr)
    return status


def discard_output() -> None:
    """What is still to be written to a pipe that nobody reads, or to a full disk, would fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)


def with_underscores(word: str) -> str:
    """`--edge-types 3` may be written for `--edge_types 3`."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def overview() -> str:
    """The help screen of the command itself."""
    width = max(map(len, COMMANDS))
    rows = "\n".join(f"  {name:<{width}}  {what}" for name, what in COMMANDS.items())
    return (
        "usage: bouncegrad COMMAND [options]\n\n"
        "Infers who interacts with whom, and how, from recorded trajectories, and learns the laws of interaction.\n\n"
        f"commands:\n{rows}\n\n"
        "`bouncegrad COMMAND --help` lists the options of a command. First steps:\n"
        "  bouncegrad demo\n"
        "  bouncegrad inspect TRACKS.csv\n"
        "  bouncegrad train --data TRACKS.csv --out run\n"
        "  bouncegrad infer run TRACKS.csv --out result"
    )


if __name__ == "__main__":
    sys.exit(main())
