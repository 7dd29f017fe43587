"""Numpy files from outside: no pickles, and one clear line for everything that can be wrong with them.

Headers claim sizes. A claim is held against the bytes that are there, and against the memory that is free, before
anything is allocated.
"""

from __future__ import annotations

import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing
from bouncegrad.data.formats.cells import listed
from bouncegrad.data.memory import in_gigabytes, require_loadable
from bouncegrad.data.trajectories import plural

BROKEN = (zipfile.BadZipFile, zlib.error, struct.error)
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
TEXT = 64.0  # bytes of a text in Python, at least
PACKING = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what numpy writes


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turns what numpy and zipfile raise on a bad file into one line."""
    try:
        with warnings.catch_warnings(action="ignore"):  # numpy remarks on headers of old versions
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
        size = path.stat().st_size
        require_loadable(_claimed(stream, size, str(path)), size, str(path))
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)


def _claimed(stream: IO[bytes], size: int, where: str) -> float:
    """Bytes of memory that the array at the start of a stream of `size` bytes takes, by its header.

    Raises:
        InputError: it claims more than there is.
    """
    try:
        header = HEADERS.get(np.lib.format.read_magic(stream))
        if header is None:
            raise InputError(f"{where}: is of a version of .npy for tables of fields; save plain arrays of numbers")
        shape, _, dtype = header(stream)
    except (MemoryError, RecursionError, TokenError):  # of Python's parser
        raise InputError(f"{where}: cannot be read (cut short or damaged); copy or save the file again") from None
    if not all(0 <= size < 2**62 for size in shape):
        raise ValueError("no size")
    numbers = math.prod(shape)
    claimed = numbers * max(dtype.itemsize, 1)  # texts of no letters would cost nothing to claim
    if not dtype.hasobject and claimed > size - stream.tell():
        raise InputError(
            f"{where}: cannot be read (cut short or damaged): its header claims shape {shape}, "
            f"{in_gigabytes(claimed)}, and {size - stream.tell():,} bytes are there; copy or save the file again"
        )
    # What is no decimal number of the usual kinds is converted, and for a while there twice.
    converted = 0.0 if dtype.kind == "b" or dtype in (np.float32, np.float64) else 8.0
    return claimed + numbers * (converted if dtype.kind in "biufc" else TEXT)


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
    except (OSError, LookupError, RuntimeError, ValueError, *BROKEN):  # of archives of versions to come, too
        return ()


def read_archive(path: Path, known: Collection[str] | None, remedy: str = "") -> dict[str, np.ndarray]:
    """The arrays of one `.npz` archive, by key.

    Args:
        path: the archive.
        known: the keys that it may have; None: any, in a file that this package wrote, which may pack well.
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
            members = {item.filename.removesuffix(".npy"): item for item in archive.infolist()}
            if known is not None and (unknown := [key for key in members if key not in known]):
                raise InputError(
                    f"{path}: unknown {plural('key', len(unknown))} {listed(unknown)}; "
                    f"known are {', '.join(known)}; {remedy}"
                )
            needed = 0.0
            for key, item in members.items():
                with _explained(f"{path}, key {key}"), _member(archive, item) as stream:
                    needed += _claimed(stream, item.file_size, f"{path}, key {key}")
            require_loadable(needed, math.inf if known is None else path.stat().st_size, str(path))
            for key, item in members.items():
                with _explained(f"{path}, key {key}"), _member(archive, item) as stream:
                    arrays[key] = np.lib.format.read_array(stream, allow_pickle=False)
    return arrays


def _member(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> IO[bytes]:
    """One file of an archive, opened; others than those of numpy are not unpacked."""
    if item.compress_type not in PACKING:
        raise ValueError("packed otherwise")
    return archive.open(item)


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
