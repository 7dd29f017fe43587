"""The option `columns`: which column of a table is the time, the entity, the task, and which are features.

    time=frame,entity=particle,task=video,features=[x,y]
    time=FRAME,entity=TRACK_ID,features=[x=POSITION_X,y=POSITION_Y]    a feature gets another name than its column

Names that hold one of , = [ ] " stand in double quotes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bouncegrad.data.errors import InputError

KEYS = ("time", "entity", "task")
HOW = "write time=COLUMN,entity=COLUMN,task=COLUMN,features=[COLUMN,COLUMN]"
MARKS = re.compile(r'[,=\[\]"]')


class Columns(NamedTuple):
    """The columns of a table by their roles.

    Args:
        time: the column of times; None if it is not named.
        entity: the column of entities; None for a table with columns for each entity.
        task: the column of tasks; None for one recording.
        features: the name and the column of each feature; empty if they are not named.
    """

    time: str | None = None
    entity: str | None = None
    task: str | None = None
    features: tuple[tuple[str, str], ...] = ()

    def used(self) -> list[str]:
        """Returns the columns that have a role."""
        keys = [name for name in (self.time, self.entity, self.task) if name is not None]
        return [*keys, *(column for _, column in self.features)]

    def text(self) -> str:
        """Returns the roles as the value of the option.

        Example:
            >>> Columns("frame", "particle", None, (("x", "x"), ("y", "POS_Y"))).text()
            'time=frame,entity=particle,features=[x,y=POS_Y]'
        """
        keys = [f"{key}={_quoted(name)}" for key in KEYS if (name := getattr(self, key)) is not None]
        items = [_quoted(c) if name == c else f"{_quoted(name)}={_quoted(c)}" for name, c in self.features]
        return ",".join([*keys, *([f"features=[{','.join(items)}]"] if items else [])])

    def option(self) -> str:
        """Returns the roles as they are typed on the command line."""
        return f"--columns {shlex.quote(self.text())}"


def columns_of(given: str | Mapping[str, Any] | Columns | None) -> Columns | None:
    """Returns the roles that a user gives as text or as a mapping; None if nothing is given.

    Raises:
        InputError: the text cannot be read, or there is no such role.

    Example:
        >>> columns_of("time=t,features=[x=a,y]")
        Columns(time='t', entity=None, task=None, features=(('x', 'a'), ('y', 'y')))
    """
    if given is None or isinstance(given, Columns):
        return given
    roles = _parsed(given) if isinstance(given, str) else dict(given)
    if strange := [name for name in roles if name not in (*KEYS, "features")]:
        raise InputError(f"option columns: {str(strange[0])[:60]!r} is no role; {HOW}")
    features: Any = roles.pop("features", ())
    features = [features] if isinstance(features, str) else features
    pairs = features.items() if isinstance(features, Mapping) else [_pair(one) for one in features]
    found = Columns(**{key: str(name) for key, name in roles.items() if name is not None}, features=tuple(pairs))
    twice = [name for name in found.used() if found.used().count(name) > 1]
    if twice or not found.used():
        raise InputError(f"option columns: {f'{twice[0]!r} stands twice' if twice else 'is empty'}; {HOW}")
    return found


def _parsed(text: str) -> dict[str, Any]:
    """Returns the roles in the text of the option."""
    tokens = [token for token in re.findall(r'"[^"]*"|[,=\[\]]|[^,=\[\]"]+|"', text) if token.strip()]
    roles: dict[str, Any] = {}
    while tokens:
        if len(tokens) < 3 or tokens[1] != "=" or MARKS.search(tokens[0]) or tokens[0].strip() in roles:
            raise InputError(f"option columns: {text[:120]!r} cannot be read; {HOW}")
        key, _, *tokens = tokens
        if tokens[0] == "[":
            if "]" not in tokens:
                raise InputError(f"option columns: a bracket is never closed in {text[:120]!r}; {HOW}")
            end = tokens.index("]")
            roles[key.strip()], tokens = _items(tokens[1:end], text), tokens[end + 1 :]
        else:
            roles[key.strip()], tokens = _name(tokens[0], text), tokens[1:]
        if tokens[:1] == [","] and len(tokens) > 1:
            tokens = tokens[1:]
        elif tokens:
            raise InputError(f"option columns: {text[:120]!r} cannot be read; {HOW}")
    return roles


def _items(tokens: Sequence[str], text: str) -> list[tuple[str, str]]:
    """Returns the name and the column of each feature in a list."""
    pairs: list[tuple[str, str]] = []
    words = [*tokens, ","]
    while words:
        end = words.index(",")
        match words[:end]:
            case [column]:
                pairs.append((_name(column, text),) * 2)
            case [name, "=", column]:
                pairs.append((_name(name, text), _name(column, text)))
            case _:
                raise InputError(f"option columns: {text[:120]!r} cannot be read; {HOW}")
        words = words[end + 1 :]
    return pairs


def _pair(feature: Any) -> tuple[str, str]:
    """Returns the name and the column of a feature that is given as one name, or as a pair."""
    return (feature, feature) if isinstance(feature, str) else (str(feature[0]), str(feature[1]))


def _name(token: str, text: str) -> str:
    name = token[1:-1] if len(token) > 1 and token[0] == token[-1] == '"' else token.strip()
    if not name or (MARKS.search(token) and token[0] != '"') or token == '"':
        raise InputError(f"option columns: {text[:120]!r} cannot be read; {HOW}")
    return name


def _quoted(name: str) -> str:
    return f'"{name}"' if MARKS.search(name) or name != name.strip() else name
