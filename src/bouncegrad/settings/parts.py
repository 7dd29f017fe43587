"""Tables of the parts that settings can name; a part of your own is named `my.module:Name`.

The tables hold names only, so that reading settings and printing help load neither torch nor the parts themselves.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from bouncegrad.data.errors import InputError

OWN = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class SearchPart(NamedTuple):
    """A search that settings can name.

    Args:
        builder: `module:function`; the function makes the search from a `SearchSetup`, see `build_search.py`.
        proposes: true: the search proposes and tests, so there is an acceptance; false: it draws from conditional
            probabilities, and may use priors.
    """

    builder: str
    proposes: bool = False


COMPOSITIONS = {"graph": "bouncegrad.settings.build:graph"}
SEARCHES = {
    "auto": SearchPart(""),  # one of the next two, see `resolved.py`
    "heat-bath": SearchPart("bouncegrad.settings.build_search:heat_bath"),
    "joint-draws": SearchPart("bouncegrad.settings.build_search:joint_draws"),
    "paper": SearchPart("bouncegrad.settings.build_search:metropolis", proposes=True),
}
HEADS = {"gaussian": "bouncegrad.core.heads:Gaussian"}


def is_known(name: str, table: Mapping[str, Any]) -> bool:
    """Returns whether a name is in the table, or has the form `my.module:Name`."""
    return name in table or bool(OWN.fullmatch(name))


def in_words(table: Mapping[str, Any]) -> str:
    """Returns the possible names as words for a message.

    Example:
        >>> in_words(HEADS)
        'gaussian, or a part of your own as my.module:Name'
    """
    return f"{', '.join(table)}, or a part of your own as my.module:Name"


def search_part(name: str) -> SearchPart:
    """Returns the row of a search; for `my.module:Name`, this is the builder."""
    return SEARCHES.get(name) or SearchPart(name)


def load(setting: str, where: str) -> Callable[..., Any]:
    """Imports `module:name`, and returns it; modules in the current folder are found, too.

    Raises:
        InputError: there is no such module or name, or importing it fails.
    """
    module, _, name = where.partition(":")
    sys.path.insert(0, "")
    try:
        found: Callable[..., Any] = getattr(import_module(module), name)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise InputError(
            f"setting {setting}: {where!r} cannot be loaded ({error}); give my.module:Name, where `import my.module` "
            "works in this folder"
        ) from error
    finally:
        sys.path.remove("")
    return found
