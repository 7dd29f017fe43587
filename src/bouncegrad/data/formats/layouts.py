"""The tables of other programs that have one row for each entity and time, recognised by the names of their columns.

Only positions, and velocities where a program writes them, become features. All other columns are left out, and
`inspect` says which and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

SPOT = "a measurement of the spot, not its place"
OTHER = "no position; name it in --columns to keep it"
PLAIN = tuple((name, (name,)) for name in ("x", "y", "z", "vx", "vy", "vz"))


class Layout(NamedTuple):
    """What the columns of a program mean.

    Args:
        name: the program.
        needed: the columns by which its tables are recognised.
        time: columns of times, the best one first.
        entity: the column of entities.
        features: for each feature the columns that may hold it, the best one first.
        reasons: why some columns are left out; all others are `OTHER`.
        counted: the column that counts frames, which is the time if `fps` is given; empty if there is none.
        untracked: what rows without an entity are, which are then left out; empty if they are a mistake.
        unit: the unit of positions; empty if it is not known.
        any_case: whether names may have capital letters.
    """

    name: str
    needed: tuple[str, ...]
    time: tuple[str, ...]
    entity: str
    features: tuple[tuple[str, tuple[str, ...]], ...]
    reasons: dict[str, str]
    counted: str = ""
    untracked: str = ""
    unit: str = ""
    any_case: bool = False


LAYOUTS = (
    Layout(
        "trackpy",
        needed=("frame", "particle", "x", "y"),
        time=("frame",),
        entity="particle",
        features=PLAIN,
        reasons=dict.fromkeys(("mass", "size", "size_x", "size_y", "ecc", "signal", "raw_mass"), SPOT)
        | dict.fromkeys(("ep", "ep_x", "ep_y", "ep_z"), "the error of the place"),
        counted="frame",
        untracked="spots without a particle",
    ),
    Layout(
        "trackmate",
        needed=("TRACK_ID", "POSITION_X", "POSITION_Y", "FRAME"),
        time=("POSITION_T", "FRAME"),
        entity="TRACK_ID",
        features=(("x", ("POSITION_X",)), ("y", ("POSITION_Y",)), ("z", ("POSITION_Z",))),
        reasons={
            "LABEL": "a name of the spot",
            "ID": "a number of the spot",
            "FRAME": "the number of the frame; with --fps it is the time",
            "POSITION_T": "the time of the program; --fps gives another",
        }
        | dict.fromkeys(("QUALITY", "RADIUS", "VISIBILITY", "MANUAL_SPOT_COLOR"), SPOT),
        counted="FRAME",
        untracked="spots without TRACK_ID",
    ),
    Layout(
        "napari",
        needed=("id", "t", "y", "x"),
        time=("t",),
        entity="id",
        features=PLAIN,
        reasons=dict.fromkeys(("parent", "root", "generation", "state", "fate"), "the history of cells, not a place")
        | {"dummy": "says which places btrack made up"},
        counted="t",
        any_case=True,
    ),
    Layout(
        "movebank",
        needed=("timestamp", "individual-local-identifier", "location-long", "location-lat"),
        time=("timestamp",),
        entity="individual-local-identifier",
        features=(
            ("x", ("utm-easting", "location-long")),
            ("y", ("utm-northing", "location-lat")),
            ("z", ("height-above-ellipsoid", "height-above-msl")),
        ),
        reasons=dict.fromkeys(("event-id", "tag-local-identifier", "study-name", "sensor-type"), "no part of the state")
        | {
            "individual-taxon-canonical-name": "no part of the state",
            "visible": "rows that it marks as false are left out",
            "location-long": "utm-easting is used",
            "location-lat": "utm-northing is used",
        },
    ),
)


def layout_of(names: Sequence[str]) -> Layout | None:
    """Returns the layout whose columns these are, with the names as the table writes them; None if there is none."""
    for layout in LAYOUTS:
        if set(layout.needed) <= set(names):
            return layout
        written = {name.lower(): name for name in names}
        if layout.any_case and set(layout.needed) <= set(written):
            return _as_written(layout, written)
    return None


def _as_written(layout: Layout, written: dict[str, str]) -> Layout:
    """Returns a layout with its columns as a table writes them; features keep their names."""

    def column(name: str) -> str:
        return written.get(name, name)

    return layout._replace(
        needed=tuple(map(column, layout.needed)),
        time=tuple(map(column, layout.time)),
        entity=column(layout.entity),
        features=tuple((name, tuple(map(column, columns))) for name, columns in layout.features),
        reasons={column(name): why for name, why in layout.reasons.items()},
        counted=column(layout.counted),
    )
