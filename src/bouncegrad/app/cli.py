"""The command `bouncegrad`: finds the subcommand, parses its arguments, turns user errors into one line and status 2.

Only the chosen subcommand's module is imported, so that help is instant.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from bouncegrad.data.errors import InputError

COMMANDS = {
    "demo": "simulate, train, infer, evaluate and report, on a built-in default",
    "simulate": "make recordings of a known system, with the truth",
    "inspect": "say what is in a file or folder, and what looks wrong with it",
    "train": "learn interaction modules and structures from recordings, without labels",
    "infer": "find who interacts with whom in new recordings",
    "evaluate": "measure a trained model on tasks it has not seen, beside baselines",
    "report": "write a run or a result as one self-contained HTML page",
    "export": "write inferred graphs for other tools",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one subcommand; returns the exit status (0 good, 2 bad usage or input, 130 interrupted)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return 0
    if words[0] == "--version":
        from bouncegrad import __version__

        print(f"bouncegrad {__version__}")
        return 0
    try:
        if words[0] not in COMMANDS:
            raise InputError(f"command {words[0]!r} is not known; choose one of {', '.join(COMMANDS)}")
        command = import_module(f"bouncegrad.app.commands.{words[0]}")
        return int(command.main([with_underscores(word) for word in words[1:]]) or 0)
    except InputError as error:
        print(f"bouncegrad: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bouncegrad: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


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
        "  bouncegrad train --data TRACKS.csv --out run && bouncegrad infer run TRACKS.csv --out result"
    )


if __name__ == "__main__":
    sys.exit(main())
