"""A format of your own: a table divided by tabs, one recording, one row a frame, one column an entity.

    python examples/own_format.py [FRAMES]

Writes `walk.tsv` into the current folder and reads it, and shows how a bad file is refused.
"""

import sys
from pathlib import Path

import numpy as np

from bouncegrad import InputError, Trajectories
from bouncegrad.data.formats.format import Format


def read(path: Path, part: str | None) -> Trajectories:
    """The recording, or one line that says what is wrong, where, and what to do."""
    try:
        rows = np.loadtxt(path, delimiter="\t", ndmin=2)
    except ValueError as error:
        raise InputError(f"{path}: {error}; write numbers divided by tabs") from None
    return Trajectories(rows[None, :, :, None], features=("height",), source=str(path))


def write(data: Trajectories, path: Path, part: str | None) -> None:
    """Writes so that `read` gives it back; refuses what the format cannot hold."""
    if data.shape[0] != 1 or data.shape[3] != 1:
        raise InputError(f"{path}: {data.summary()}; this format holds one task with one feature")
    np.savetxt(path, data.x[0, :, :, 0], delimiter="\t")


TABS = Format(
    name="tabs",
    layout="a .tsv table with one row a frame",
    recognises=lambda path: path.suffix == ".tsv",
    read=read,
    write=write,
    suffix=".tsv",
)


def main(frames: int = 30) -> None:
    heights = np.random.default_rng(0).normal(size=(1, frames, 3, 1)).cumsum(axis=1)
    path = Path("walk.tsv")
    TABS.write(Trajectories(heights, features=("height",)), path, None)
    print(TABS.read(path, None).summary())
    path.write_text("1\t2\n1\ttwo\n")
    try:
        TABS.read(path, None)
    except InputError as error:
        print("refused:", error)
    path.unlink()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
