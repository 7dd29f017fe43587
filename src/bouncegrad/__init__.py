"""Infers who interacts with whom, and how, from recorded trajectories, and learns the laws of interaction.

    from bouncegrad import RelationalInference, load

    model = RelationalInference(edge_types=2, seed=0).fit(load("tracks.csv"))
    result = model.infer(load("new_tracks.csv"))

Names are loaded when first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bouncegrad.core.structures import edge_index
    from bouncegrad.data.errors import InputError
    from bouncegrad.data.formats import load, save
    from bouncegrad.data.resampling import resample
    from bouncegrad.data.simulate import simulate
    from bouncegrad.data.trajectories import Trajectories
    from bouncegrad.estimator import RelationalInference
    from bouncegrad.results.result import Result

__version__ = "0.1.0"
__all__ = [
    "InputError",
    "RelationalInference",
    "Result",
    "Trajectories",
    "edge_index",
    "load",
    "resample",
    "save",
    "simulate",
]
_HOME = {
    "InputError": "bouncegrad.data.errors",
    "RelationalInference": "bouncegrad.estimator",
    "Result": "bouncegrad.results.result",
    "Trajectories": "bouncegrad.data.trajectories",
    "edge_index": "bouncegrad.core.structures",
    "load": "bouncegrad.data.formats",
    "resample": "bouncegrad.data.resampling",
    "save": "bouncegrad.data.formats",
    "simulate": "bouncegrad.data.simulate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
