"""Reading YAML without aliases: a few lines of nested aliases could expand to more values than fit into memory."""

from __future__ import annotations

from typing import Any

import yaml


def load_plain(text: str) -> Any:
    """Returns the values in a YAML text.

    Raises:
        ValueError: the text has an alias.
        yaml.YAMLError: the text is not YAML.
    """
    require_plain(text)
    return yaml.safe_load(text)


def require_plain(text: str) -> None:
    """Refuses a text with aliases (`*name`); a text that is not YAML passes, since reading it will fail.

    Raises:
        ValueError: names the line and the alias.
    """
    try:
        for token in yaml.scan(text):
            if isinstance(token, yaml.AliasToken):
                raise ValueError(f"line {token.start_mark.line + 1} has the alias *{token.value}; write its value out")
    except (yaml.YAMLError, RecursionError):
        return
