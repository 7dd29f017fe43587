"""Numpy files from outside: no pickles, and one clear line for everything that can be wrong with them."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing
from bouncegrad.data.trajectories import plural

BROKEN = (zipfile.BadZipFile, zlib.error, struct.error)


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turns what numpy and zipfile raise on a bad file into one line."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, EOFError, OSError, LookupError, RuntimeError, SyntaxError, *BROKEN) as error:
        if "allow_pickle" in str(error):
            raise InputError(f"{where}: holds Python objects (pickled); save plain arrays of numbers") from None
        # An OSError of the system says why; the other messages speak of numpy's insides.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "cut short or damaged"
        raise InputError(f"{where}: cannot be read ({reason}); copy or save the file again") from None


def read_array(path: Path) -> np.ndarray:
    """The array of one `.npy` file.

    Raises:
        InputError: the file is empty, no `.npy` file, damaged, or holds Python objects.
    """
    magic = np.lib.format.MAGIC_PREFIX
    with _explained(str(path)), path.open("rb") as stream:
        start = stream.read(len(magic))
        if start != magic:
            raise InputError(f"{path}: {'is no .npy file' if start else 'is empty'}; save it with numpy.save")
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)


def map_array(path: Path) -> np.ndarray:
    """The array of one `.npy` file, left on disk until it is looked at.

    Raises:
        InputError: as of `read_array`.
    """
    with _explained(str(path)):
        return np.load(path, mmap_mode="r", allow_pickle=False)


def keys_of(path: Path) -> tuple[str, ...]:
    """The keys of an `.npz` archive; none when the file is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, *BROKEN):
        return ()


def read_archive(path: Path, known: Collection[str], remedy: str) -> dict[str, np.ndarray]:
    """The arrays of one `.npz` archive, by key.

    Args:
        path: the archive.
        known: the keys that it may have.
        remedy: what to do about others.

    Raises:
        InputError: the file is empty, no archive, damaged, holds Python objects, or has a key that is not known.
    """
    arrays = {}
    with _explained(str(path)):
        if not zipfile.is_zipfile(path):
            found = "is no .npz archive" if path.stat().st_size else "is empty"
            raise InputError(f"{path}: {found}; save it with numpy.savez")
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            if unknown := [key for key in members if key not in known]:
                raise InputError(
                    f"{path}: unknown {plural('key', len(unknown))} {', '.join(unknown)}; "
                    f"known are {', '.join(known)}; {remedy}"
                )
            for key, name in members.items():
                with _explained(f"{path}, key {key}"), archive.open(name) as stream:
                    arrays[key] = np.lib.format.read_array(stream, allow_pickle=False)
    return arrays


def write_archive(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """An uncompressed `.npz` archive without dates, so that equal arrays give equal bytes."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for key, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def write_array(path: Path, array: np.ndarray) -> None:
    """A `.npy` file."""
    with replacing(path) as temporary:
        np.save(temporary, array, allow_pickle=False)
