"""The form of all help screens, and screens that show options in groups."""

from __future__ import annotations

import textwrap
from argparse import SUPPRESS, Action, _HelpAction
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import DefaultHelpFormatter

BOOLEAN = "{true,false}"  # what the parsing library shows for a value of type bool
NUMBERS: dict[type, str] = {int: "N", float: "X"}


class HelpFormatter(DefaultHelpFormatter):
    """Formats help: defaults as they are typed, types by name only where they help, a usage of one line."""

    def _get_help_string(self, action: Action) -> str:
        if action.dest == "print_config":
            return "print all settings as YAML and exit"
        text = (action.help or "").removesuffix(".")
        no_default = action.default in (None, SUPPRESS, ()) or action.default is False or not action.option_strings
        return text if no_default or "default" in text else f"{text} (default: {as_typed(action.default)})"

    def _format_action_invocation(self, action: Action) -> str:
        if action.dest == "print_config":
            return action.option_strings[0]
        return super()._format_action_invocation(action).replace("--help_all", "--help-all")

    def _get_default_metavar_for_optional(self, action: Action) -> str:
        word = value_word(getattr(action, "_typehint", None))
        return super()._get_default_metavar_for_optional(action) if word is None else word

    def _get_default_metavar_for_positional(self, action: Action) -> str:
        return action.dest.upper()

    def _format_usage(self, usage: str | None, actions: Iterable[Action], *args: Any, **kwargs: Any) -> str:
        needed = [action for action in actions if action.required]
        words = [action.dest.upper() for action in needed if not action.option_strings]
        words += [self._format_action_invocation(action) for action in needed if action.option_strings]
        return f"usage: {' '.join([usage or self._prog, *words])} [options]\n\n"

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Wraps every line of a description or an epilog by itself; lines that are indented are items of a list."""
        return "\n".join(
            textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent + "    " * line.startswith(" "))
            for line in text.splitlines()
        )


def value_word(hint: Any) -> str | None:
    """Returns what stands for a value of this type: N, X or the values to choose from; None if the type says nothing.

    Example:
        >>> value_word(int | Literal["auto"] | None)
        'N|auto'
    """
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return choices[0] if len(choices) == 1 else "{" + ",".join(choices) + "}"
    if get_origin(hint) in (Union, UnionType):
        words = [value_word(part) for part in get_args(hint) if part is not NoneType]
        return None if None in words else "|".join(map(str, words))
    return NUMBERS.get(hint) if isinstance(hint, type) else None


def as_typed(value: object) -> str:
    """The value as a user would type it.

    Example:
        >>> as_typed((64, 64)), as_typed(True), as_typed("cpu")
        ('[64,64]', 'true', 'cpu')
    """
    if isinstance(value, tuple):
        return f"[{','.join(map(as_typed, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


class HelpAll(_HelpAction):
    """The option `--help-all`: shows every option, in groups, and exits."""

    def __call__(self, parser: Any, *args: Any) -> None:
        parser.show_all = True
        super().__call__(parser, *args)


@dataclass(frozen=True)
class Group:
    """Options that a help screen shows together.

    Args:
        title: of the group.
        names: of its options, in order. Names that the parser does not have are ignored.
        description: a text below the title, or None.
    """

    title: str
    names: tuple[str, ...]
    description: str | None = None


@dataclass(frozen=True)
class Screens:
    """The two help screens of a command with many options.

    Args:
        first: the options that `--help` shows.
        groups: what `--help-all` shows.
    """

    first: Group
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Section:
    """A part of a help screen, in the form in which `argparse` reads it."""

    title: str
    description: str | None
    _group_actions: list[Action]


def sections(groups: Sequence[Group], actions: Mapping[str, Action]) -> list[Section]:
    """The options in their groups; those that no group names come last, as "other settings"."""
    made = [Section(g.title, g.description, [actions[name] for name in g.names if name in actions]) for g in groups]
    named = {name for group in groups for name in group.names}
    other = [action for name, action in actions.items() if name not in named]
    return [section for section in [*made, Section("other settings", None, other)] if section._group_actions]
