"""Reads recordings from objects of other packages, which are known by the package that their class comes from.

    pandas, polars   tables, long or wide
    xarray           places with the dimensions time, space, individuals, keypoints, as `movement` makes them
    sleap_io         labels of SLEAP
    kloppy           tracking data of football

None of these packages is needed, and none is imported unless such an object comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bouncegrad.data.formats.football_objects import from_kloppy
from bouncegrad.data.formats.frames import from_frame
from bouncegrad.data.formats.keypoint_objects import from_sleap, from_xarray
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.trajectories import Trajectories

if TYPE_CHECKING:
    import pandas as pd


def from_object(given: Any, manner: Manner) -> Trajectories:
    """Returns the recordings in an object.

    Raises:
        InputError: the object is of no known package, or does not hold recordings.
    """
    reader = next((READERS[name] for name in packages_of(given) if name in READERS), None)
    return from_frame(as_pandas(given), manner) if reader is None else reader(given, manner)


def as_pandas(given: Any) -> pd.DataFrame:
    """Returns a table of polars as one of pandas; any other object as it is."""
    if "polars" not in packages_of(given):
        return given
    import pandas as pd

    table = given.collect() if hasattr(given, "collect") else given
    # By way of lists, so that no further package is needed.
    return pd.DataFrame({name: table[name].to_list() for name in table.columns})


def packages_of(given: Any) -> list[str]:
    """Returns the packages that the class of an object and its parents come from."""
    return [kind.__module__.partition(".")[0] for kind in type(given).__mro__]


READERS: dict[str, Callable[[Any, Manner], Trajectories]] = {
    "xarray": from_xarray,
    "sleap_io": from_sleap,
    "kloppy": from_kloppy,
}
"""The reader for the objects of each package."""
