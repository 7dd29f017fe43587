"""Small files as other programs write them: for each layout its name, its content, and what is read from it."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np

FRAMES = 6
PLACES = np.random.default_rng(0).normal(size=(FRAMES, 2, 2)).cumsum(0).round(3) + 50  # [frame, entity, axis]


def rows(form: str) -> str:
    """A line for each frame and entity; `form` has the fields t (frame), e (entity), x, y."""
    cells = ((t, e, *PLACES[t, e]) for t, e in np.ndindex(FRAMES, 2))
    return "".join(form.format(t=t, e=e, x=float(x), y=float(y)) + "\n" for t, e, x, y in cells)


def columns(form: str) -> str:
    """A line for each frame; `form` has the fields t, x0, y0, x1, y1."""
    cells = (PLACES[t].ravel().tolist() for t in range(FRAMES))
    return "".join(form.format(t=t, x0=a, y0=b, x1=c, y1=d) + "\n" for t, (a, b, c, d) in enumerate(cells))


def block(t: int, form: str) -> str:
    return "".join(form.format(e=e, x=float(PLACES[t, e, 0]), y=float(PLACES[t, e, 1])) + "\n" for e in (1, 0))


PARTS = "scorer,net,net,net,net,net,net\n"
CELLS = "{t},{x0},{y0},0.9,{x1},{y1},0.8"
TRAJNET = '{{"track": {{"f": {f}, "p": {e}, "x": {x}, "y": {y}}}}}'
LAMMPS = "ITEM: TIMESTEP\n{t}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 9\n0 9\n-1 1\n"
LAMMPS += "ITEM: ATOMS id type x y z\n"
SPOTS = "LABEL,ID,TRACK_ID,QUALITY,POSITION_X,POSITION_Y,POSITION_Z,POSITION_T,FRAME,RADIUS\n"
WORDS = "Label,Spot ID,Track ID,Quality,X,Y,Z,T,Frame,Radius\n,,,,(micron),(micron),(micron),(sec),,(micron)\n"

FILES: dict[str, tuple[str, str]] = {
    "trackpy": (
        "spots.csv",
        ",x,y,mass,size,ecc,signal,raw_mass,ep,frame,particle\n"
        + "".join(f"{i},{row}\n" for i, row in enumerate(rows("{x},{y},9,2,.1,8,7,.05,{t},{e}").split())),
    ),
    "trackmate": (
        "spots.csv",
        SPOTS + WORDS + "ID9,9,,1,5,5,0,0,0,2\n" + rows("ID{e},{e},{e},1,{x},{y},0.0,{t},{t},2"),
    ),
    "napari": ("tracks.csv", "ID,t,y,x,parent,root\n" + rows("{e},{t},{y},{x},0,0")),
    "movebank": (
        "gps.csv",
        "event-id,visible,timestamp,location-long,location-lat,individual-local-identifier\n"
        + rows("1,true,2020-01-01 0{t}:00:00.000,{x},{y},tag{e}")
        + "9,false,2020-01-01 02:00:00.000,0,0,tag0\n",
    ),
    "deeplabcut": (
        "dlc.csv",
        PARTS + "bodyparts,nose,nose,nose,tail,tail,tail\ncoords" + ",x,y,likelihood" * 2 + "\n" + columns(CELLS),
    ),
    "deeplabcut animals": (
        "dlc.csv",
        PARTS
        + "individuals,mia,mia,mia,tom,tom,tom\nbodyparts"
        + ",nose" * 6
        + "\ncoords"
        + ",x,y,likelihood" * 2
        + "\n"
        + columns(CELLS),
    ),
    "sleap": (
        "sleap.csv",
        "track,frame_idx,instance.score,thorax.x,thorax.y,thorax.score\n" + rows("track_{e},{t},.9,{x},{y},.98"),
    ),
    "wide": ("idtracker.csv", "seconds,x1,y1,x2,y2\n" + columns("{t},{x0},{y0},{x1},{y1}")),
    "motchallenge": ("gt.txt", rows("{t},{e},{x},{y},0,0,1,-1,-1,-1") + "1,9,5,5,2,2,0,-1,-1,-1\n"),
    "eth-ucy": ("walk.txt", rows("{t}.0\t{e}.0\t{x}\t{y}")),
    "trajnet": (
        "scenes.ndjson",
        json.dumps({"scene": {"id": 0, "p": 0, "s": 0, "e": FRAMES - 1, "fps": 1.0}})
        + "\n"
        + rows(TRAJNET.replace("{f}", "{t}")),
    ),
    "metrica": (
        "home.csv",
        ",,,Home,,Home,\n,,,11,,1,\nPeriod,Frame,Time [s],Player11,,Player1,\n"
        + columns("1,{t},{t},{x0},{y0},{x1},{y1}"),
    ),
    "lammps": (
        "a.lammpstrj",
        "".join(LAMMPS.format(t=t) + block(t, "{e} 1 {x} {y} 0") for t in range(FRAMES)),
    ),
    "xyz": (
        "a.xyz",
        "".join(f"2\nframe {t}\n" + "".join(f"C {x} {y} 0.0\n" for x, y in PLACES[t].tolist()) for t in range(FRAMES)),
    ),
}
"""The name and the content of a file for each format; all hold `PLACES`."""


NAMES = [("net", animal, "nose", axis) for animal in ("mia", "tom") for axis in ("x", "y", "likelihood")]


def deeplabcut_table(file: Any, form: str, names: list[tuple[str, ...]] = NAMES, pickled: bytes | None = None) -> None:
    """Writes `PLACES` as pandas writes the table of DeepLabCut in HDF5, in the form `table` or `fixed`."""
    group = file.create_group("df_with_missing")
    likely = np.full((FRAMES, 2, 1), 0.9)
    values = np.concatenate([PLACES, likely], 2).reshape(FRAMES, 6)
    if form == "table":
        cells = np.zeros(FRAMES, [("index", "<i8"), ("values_block_0", "<f8", (6,))])
        cells["index"], cells["values_block_0"] = np.arange(FRAMES), values
        group["table"] = cells
        group["table"].attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(names, 0) if pickled is None else pickled)
        return
    group["axis1"], group["block0_values"] = np.arange(FRAMES), values
    for level, texts in enumerate(zip(*names, strict=True)):
        kept = sorted(set(texts))
        group[f"block0_items_level{level}"] = np.array([text.encode() for text in kept])
        group[f"block0_items_label{level}"] = np.array([kept.index(text) for text in texts], np.int8)
