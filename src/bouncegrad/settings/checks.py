"""Checks that every kind of settings has in common, and how settings are read from and written as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from bouncegrad.data.errors import InputError
from bouncegrad.settings.values import fits, in_words

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


def require(settings: object, name: str, good: bool, remedy: str) -> None:
    """Refuses the value of one setting unless it is good.

    Args:
        settings: a dataclass of settings.
        name: of the setting.
        good: whether its value can be used.
        remedy: what to give instead; the message ends with it.

    Raises:
        InputError: the value is not good.
    """
    if not good:
        raise InputError(f"setting {name}: {getattr(settings, name)!r} cannot be used; {remedy}")


def require_kinds(settings: object) -> None:
    """Checks that every setting has a value of the kind that its annotation names.

    Raises:
        InputError: names the first setting that does not.
    """
    for name, hint in get_type_hints(type(settings)).items():
        require(settings, name, fits(getattr(settings, name), hint), f"give {in_words(hint)}")


def require_whole(settings: object, least: int, *names: str) -> None:
    """Checks that these settings are None or at least `least`.

    Raises:
        InputError: names the first setting that is smaller.
    """
    for name in names:
        value = getattr(settings, name)
        require(settings, name, value is None or value >= least, f"give a whole number from {least}")


def require_positive(settings: object, *names: str) -> None:
    """Checks that these settings are None or above 0, and at most 1e30, so that products of them stay finite.

    Raises:
        InputError: names the first setting that is not.
    """
    for name in names:
        value = getattr(settings, name)
        require(settings, name, value is None or 0 < value <= 1e30, "give a number above 0, at most 1e30")


def require_known(cls: type[DataclassInstance], names: Iterable[str], source: str) -> None:
    """Checks that these are names of settings.

    Raises:
        InputError: names the first one that is not, and all that are.
    """
    known = {f.name for f in fields(cls)}
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"{source}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")


def from_mapping(cls: type[Settings], values: dict[str, Any], source: str) -> Settings:
    """Returns settings from a mapping; numpy's numbers become Python's, lists become tuples.

    Args:
        cls: the dataclass of settings.
        values: by name of the setting.
        source: where the mapping was read from; messages begin with it.

    Raises:
        InputError: a setting is unknown, or its value cannot be used.
    """
    require_known(cls, values, source)
    plain = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in values.items()}
    try:
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()})
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def to_mapping(settings: DataclassInstance) -> dict[str, Any]:
    """Returns plain values by name, tuples as lists, as `from_mapping` takes them and YAML can hold them."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(settings).items()}
