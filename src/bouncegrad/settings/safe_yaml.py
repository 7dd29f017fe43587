"""YAML from outside, kept plain: a few aliases of aliases would stand for more values than memory holds."""

from __future__ import annotations

from typing import Any

import yaml


def load_plain(text: str) -> Any:
    """What a YAML text without aliases says.

    Raises:
        ValueError: it has an alias.
        yaml.YAMLError: it is no YAML.
    """
    require_plain(text)
    return yaml.safe_load(text)


def require_plain(text: str) -> None:
    """Refuses a text with aliases (`*name`); one that is no YAML is left to who reads it.

    Raises:
        ValueError: names the line.
    """
    try:
        for token in yaml.scan(text):
            if isinstance(token, yaml.AliasToken):
                raise ValueError(f"line {token.start_mark.line + 1} has the alias *{token.value}; write its value out")
    except (yaml.YAMLError, RecursionError):
        return
