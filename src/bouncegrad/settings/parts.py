"""Which parts settings can name, one row for each; a part of your own is named `my.module:Name`.

Only names stand here, so that reading settings and printing help load neither torch nor the parts themselves.
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
        builder: `module:function` that makes it from a `SearchSetup`, see `build_search.py`.
        proposes: it proposes and tests, and so has an acceptance; otherwise it draws from conditional probabilities
            and knows priors.
    """

    builder: str
    proposes: bool = False


COMPOSITIONS = {"graph": "bouncegrad.settings.build:graph"}
SEARCHES = {
    "heat-bath": SearchPart("bouncegrad.settings.build_search:heat_bath"),
    "paper": SearchPart("bouncegrad.settings.build_search:metropolis", proposes=True),
}
HEADS = {"gaussian": "bouncegrad.core.heads:Gaussian"}


def is_known(name: str, table: Mapping[str, Any]) -> bool:
    """Whether a name is in the table, or has the form of a part of the user's own."""
    return name in table or bool(OWN.fullmatch(name))


def in_words(table: Mapping[str, Any]) -> str:
    """What to give, for messages.

    Example:
        >>> in_words(HEADS)
        'gaussian, or a part of your own as my.module:Name'
    """
    return f"{', '.join(table)}, or a part of your own as my.module:Name"


def search_part(name: str) -> SearchPart:
    """The row of a search; a search of the user's own is built by what its name says."""
    return SEARCHES.get(name) or SearchPart(name)


def load(setting: str, where: str) -> Callable[..., Any]:
    """Imports `module:name`; modules in the current folder are found, too.

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
