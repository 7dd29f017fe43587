"""Makes the regression tasks of the 2018 paper: sines of random amplitude and phase, and sums of two of 16 functions.

    sines        y = A sin(x - φ),              A in [0.1, 5], φ in [0, π], x in [-5, 5]
    functions    y = (f_a(x) + f_b(x)) / 2,     a < b, x in [-1, 1]

Every task has its own points. Sources: Finn et al. 2017, section 5.1 (sines); Alet et al. 2018, section 5, and the
released generator (functions). The scale c = 4 of that generator keeps all functions within [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from jaxtyping import Float

from bouncegrad.data.arguments import require_whole
from bouncegrad.data.regression import RegressionTasks

SCALE = 4.0  # as in the released generator
AMPLITUDES, PHASES = (0.1, 5.0), (0.0, np.pi)

Function = Callable[[Float[np.ndarray, "*shape"]], Float[np.ndarray, "*shape"]]

FUNCTIONS: dict[str, Function] = {
    "abs": np.abs,
    "arcsinh": lambda x: np.arcsinh(SCALE * x) / np.arcsinh(SCALE),
    "arctan": lambda x: np.arctan(SCALE * x) / np.arctan(SCALE),
    "cbrt": np.cbrt,
    "ceil": np.ceil,
    "cos": lambda x: np.cos(SCALE * np.pi * x),
    "cosh": lambda x: np.cosh(SCALE * x) / np.cosh(SCALE),
    "exp2": lambda x: np.exp2(SCALE * x) / np.exp2(SCALE),
    "floor": np.floor,
    "id": lambda x: x,
    "rint": np.rint,
    "sign": np.sign,
    "sin": lambda x: np.sin(SCALE * np.pi * x),
    "sinc": lambda x: np.sinc(SCALE * np.pi * x),
    "square": np.square,
    "tanh": np.tanh,
}
"""The 16 functions by name, on [-1, 1]."""


def sines(tasks: int, *, seed: int = 0, fitted: int = 10, held_out: int = 10) -> RegressionTasks:
    """Returns M sines; the first ones do not depend on M.

    Args:
        tasks: M >= 1.
        seed: an integer >= 0. Different seeds give different tasks.
        fitted: the number of points of each task that may be fitted.
        held_out: the number of held-out points of each task.

    Raises:
        InputError: a number is too small.

    Example:
        >>> print(sines(3).summary())
        3 tasks, 10 fitted and 10 held-out points, 1 inputs, 1 outputs
    """
    require_whole("sines", tasks=(tasks, 1), seed=(seed, 0), fitted=(fitted, 1), held_out=(held_out, 1))
    curves, points = streams(seed)
    (least, most), drawn = np.array([AMPLITUDES, PHASES]).T, curves.random((tasks, 2))
    amplitude, phase = (least + (most - least) * drawn).T
    x = 10 * points.random((tasks, fitted + held_out, 1)) - 5
    y = amplitude[:, None, None] * np.sin(x - phase[:, None, None])
    names = tuple(f"{a!r}_{p!r}".replace(".", "d") for a, p in zip(amplitude.tolist(), phase.tolist(), strict=True))
    return RegressionTasks(x, y, fitted, names, "sines")


def functions(*, seed: int = 0, fitted: int = 16, held_out: int = 16) -> RegressionTasks:
    """Returns all 120 sums of two different functions, one task each, so that held-out tasks are new sums.

    Args:
        seed: an integer >= 0. Different seeds give different points.
        fitted: the number of points of each task that may be fitted.
        held_out: the number of held-out points of each task.

    Raises:
        InputError: a number is too small.

    Example:
        >>> functions().names[:2]
        ('abs_arcsinh', 'abs_arctan')
    """
    require_whole("functions", seed=(seed, 0), fitted=(fitted, 1), held_out=(held_out, 1))
    pairs = list(combinations(FUNCTIONS, 2))
    _, points = streams(seed)
    x = 2 * points.random((len(pairs), fitted + held_out, 1)) - 1
    y = np.stack([(FUNCTIONS[a](at) + FUNCTIONS[b](at)) / 2 for (a, b), at in zip(pairs, x, strict=True)])
    return RegressionTasks(x, y, fitted, tuple(f"{a}_{b}" for a, b in pairs), "functions")


def streams(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Returns independent random generators for the curves and for the points."""
    curves, points = (np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(2))
    return curves, points
