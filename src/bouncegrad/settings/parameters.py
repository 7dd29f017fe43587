"""Parameters of an estimator as scikit-learn wants them: kept as they were given, and checked when they are used."""

from __future__ import annotations

from dataclasses import fields
from inspect import Parameter, Signature
from typing import Any

from bouncegrad.settings.checks import require_known
from bouncegrad.settings.config import Config

FIRST = ("edge_types", "seed", "epochs", "minutes")  # those that are set most often


def defaults() -> dict[str, Any]:
    """Returns the default of every setting, those that are set most often first."""
    of = {f.name: f.default for f in fields(Config)}
    return {name: of[name] for name in (*FIRST, *(name for name in of if name not in FIRST))}


def signature() -> Signature:
    """Returns the signature of a constructor that takes all settings, for `help` and for completion in notebooks."""
    by_place, by_name = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY
    given = defaults().items()
    return Signature([Parameter(name, by_place if name in FIRST else by_name, default=value) for name, value in given])


class Parameters:
    """The parameters of one estimator.

    Args:
        owner: its name, for messages.
        given: parameters by name; the others have their defaults.

    Raises:
        InputError: a name is unknown. Values are not looked at.
    """

    def __init__(self, owner: str, given: dict[str, Any]) -> None:
        self.owner, self.values = owner, defaults()
        self.set(given)

    def set(self, given: dict[str, Any]) -> None:
        """Sets some parameters.

        Raises:
            InputError: a name is unknown.
        """
        require_known(Config, given, self.owner)
        self.values |= given

    @property
    def config(self) -> Config:
        """The settings.

        Raises:
            InputError: a value cannot be used, or values do not fit each other.
        """
        return Config.from_mapping(self.values, self.owner)

    @property
    def changed(self) -> dict[str, Any]:
        """The parameters that differ from their defaults."""
        usual = defaults()
        return {name: value for name, value in self.values.items() if repr(value) != repr(usual[name])}

    def __repr__(self) -> str:
        return f"{self.owner}({', '.join(f'{name}={value!r}' for name, value in self.changed.items())})"
