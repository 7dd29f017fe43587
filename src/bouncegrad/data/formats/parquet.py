"""Reads tables in Parquet and Feather by the rules of CSV, where the package pyarrow is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.edge_table import edges_beside
from bouncegrad.data.formats.format import Format
from bouncegrad.data.formats.frames import from_frame
from bouncegrad.data.formats.reading import Manner
from bouncegrad.data.trajectories import Trajectories

SUFFIXES = (".parquet", ".feather")


def read(path: Path, manner: Manner) -> Trajectories:
    """Returns the recordings in a long or wide table.

    Raises:
        InputError: pyarrow is not installed, the file is damaged, or the table cannot be used.
    """
    import pandas as pd

    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_feather(path)
    except ImportError:
        raise InputError(
            f"{path}: needs the package pyarrow; install it with: pip install pyarrow, or save the table as CSV"
        ) from None
    except Exception as error:  # pyarrow raises many kinds on a damaged file
        why = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: cannot be read ({why}); copy or save the file again") from None
    return replace(from_frame(frame, manner, path), source=str(path))


PARQUET = Format(
    name="parquet",
    layout="a .parquet or .feather table",
    recognises=lambda path: path.suffix in SUFFIXES and path.is_file(),
    read=lambda path, part: read(path, Manner()),
    read_as=read,
    edges_beside=edges_beside,
)
