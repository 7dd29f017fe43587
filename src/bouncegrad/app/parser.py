"""The parser of a subcommand: its errors are one line; a command with many options has a short and a full help."""

from __future__ import annotations

import re
from argparse import SUPPRESS
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, Namespace

from bouncegrad.app.cli import COMMANDS
from bouncegrad.app.help import HelpAll, HelpFormatter, Screens, sections
from bouncegrad.data.errors import InputError
from bouncegrad.settings.safe_yaml import require_plain

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "tuple": "a list such as [a,b]",
}


class Parser(ArgumentParser):
    """A parser of one subcommand that raises `InputError` where `argparse` would print its usage and exit.

    Options must be written in full. An abbreviation such as --pre would be parsed as --preset, but the file of the
    preset would not be read.

    Args:
        command: the name of the subcommand.
        screens: which options `--help` and `--help-all` show. If None, both show all options.
    """

    def __init__(self, command: str, screens: Screens | None = None, **kwargs: Any) -> None:
        about = COMMANDS[command]
        super().__init__(
            prog=f"bouncegrad {command}",
            description=about[0].upper() + about[1:] + ".",
            formatter_class=HelpFormatter,
            allow_abbrev=False,
            **kwargs,
        )
        self.screens, self.show_all = screens, False
        self.all_options = f"{self.prog} --help{'-all' if screens else ''}"  # what to type to see them
        self._positionals.title = "arguments"
        help_all = "show all options, in groups, and exit" if screens else SUPPRESS
        self.add_argument("--help_all", action=HelpAll, help=help_all)

    def format_help(self, *args: Any) -> str:
        """The help screen: all options, or those that are needed first."""
        if self.screens is None:
            return super().format_help(*args)
        actions = {action.dest: action for action in self._actions}
        before = self._action_groups, self.epilog
        if self.show_all:
            self._action_groups = sections(self.screens.groups, actions)  # type: ignore[assignment]
        else:
            shown = self.screens.first.names
            self._action_groups = sections([self.screens.first], {name: actions[name] for name in shown})  # type: ignore[assignment]
            self.epilog = f"{self.all_options} shows all {len(actions)} options, in groups."
        try:
            return super().format_help(*args)
        finally:
            self._action_groups, self.epilog = before

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raises `InputError` with one line, which names the help screen."""
        raise InputError(f"{readable(message)}; see {self.all_options}")

    def parse_path(self, path: Any, *args: Any, **kwargs: Any) -> Namespace:
        """Reads a settings file; its errors name the file."""
        try:
            require_plain(Path(str(path)).read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            pass  # the parser below refuses it
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
            raise InputError(f"{path}: option {unknown[0]!r} is not known; see {self.all_options}")
        return settings


def readable(message: str) -> str:
    """Puts an error of the parsing library into one line of plain words; a form that is not known stays as it is.

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
