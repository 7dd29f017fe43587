"""Numbers of reports and tables: their meaning, their baselines, and their format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

NOT_AVAILABLE = "not available"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Number(NamedTuple):
    """A number of a report or table.

    Args:
        name: what is measured.
        value: the number; None if it is not available.
        meaning: explanation of the number, in words.
        baselines: values of the same quantity for other methods, by name.
        unit: its unit, in words.
        scope: the tasks and frames that it was measured on.
    """

    name: str
    value: float | None
    meaning: str = ""
    baselines: Mapping[str, float | None] = {}
    unit: str = ""
    scope: str = ""


def written(value: float | None) -> str:
    """Returns a number as text: four significant digits, with a power of ten if it is very small or large.

    Example:
        >>> written(0.94327), written(3.1e-8), written(1200), written(None)
        ('0.9433', '3.100 × 10⁻⁸', '1,200', 'not available')
    """
    if value is None or not np.isfinite(value):
        return NOT_AVAILABLE
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e4:
        return f"{value:#.4g}".removesuffix(".").replace("-", "−")
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa.replace('-', '−')} × 10{str(int(exponent)).translate(SUPERSCRIPT)}"
