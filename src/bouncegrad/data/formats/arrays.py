"""Reads and writes NumPy files: no pickles, and one clear line for everything that can be wrong with a file.

A header states the size of its array. Before memory is allocated, that size is compared with the bytes in the file and
with the free memory.
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
TEXT = 64.0  # bytes that a text takes in Python, at least
PACKING = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the methods that numpy uses


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turns the errors that numpy and zipfile raise on a bad file into a refusal of one line."""
    try:
        with warnings.catch_warnings(action="ignore"):  # numpy warns about headers of old versions
            yield
    except InputError:
        raise
    except (ValueError, EOFError, OSError, LookupError, RuntimeError, SyntaxError, *BROKEN) as error:
        if "allow_pickle" in str(error):
            raise InputError(f"{where}: holds Python objects (pickled); save plain arrays of numbers") from None
        # An OSError of the system states the reason; the other messages describe internals of numpy.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "cut short or damaged"
        raise InputError(f"{where}: cannot be read ({reason}); copy or save the file again") from None


def read_array(path: Path) -> np.ndarray:
    """Returns the array of one `.npy` file.

    Raises:
        InputError: the file is empty, not a `.npy` file, damaged, or holds Python objects.
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
    """Returns the bytes of memory that an array needs, according to the header at the start of its stream.

    Args:
        stream: the array, header first.
        size: the bytes in the whole stream.
        where: the file, for messages.

    Raises:
        InputError: the header states more bytes than the stream has.
    """
    try:
        header = HEADERS.get(np.lib.format.read_magic(stream))
        if header is None:
            raise InputError(f"{where}: is a .npy file of structured records; save plain arrays of numbers")
        shape, _, dtype = header(stream)
    except (MemoryError, RecursionError, TokenError):  # from Python's parser, which reads the header
        raise InputError(f"{where}: cannot be read (cut short or damaged); copy or save the file again") from None
    if not all(0 <= size < 2**62 for size in shape):
        raise ValueError("not a size")
    numbers = math.prod(shape)
    claimed = numbers * max(dtype.itemsize, 1)  # empty texts have 0 bytes each, which would allow any shape
    if not dtype.hasobject and claimed > size - stream.tell():
        raise InputError(
            f"{where}: cannot be read (cut short or damaged): its header claims shape {shape}, "
            f"{in_gigabytes(claimed)}, and {size - stream.tell():,} bytes are there; copy or save the file again"
        )
    # Other types than these are converted, so that for some time both arrays are in memory.
    converted = 0.0 if dtype.kind == "b" or dtype in (np.float32, np.float64) else 8.0
    return claimed + numbers * (converted if dtype.kind in "biufc" else TEXT)


def map_array(path: Path) -> np.ndarray:
    """Returns the array of one `.npy` file as a memory map: its values are read from disk when they are used.

    Raises:
        InputError: as for `read_array`.
    """
    with _explained(str(path)):
        return np.load(path, mmap_mode="r", allow_pickle=False)


def keys_of(path: Path) -> tuple[str, ...]:
    """Returns the keys of an `.npz` archive; none if the file is not an archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, LookupError, RuntimeError, ValueError, *BROKEN):  # archives of later versions raise these, too
        return ()


def read_archive(path: Path, known: Collection[str] | None, remedy: str = "") -> dict[str, np.ndarray]:
    """Returns the arrays of one `.npz` archive, by key.

    Args:
        path: the archive.
        known: the keys that it may have. None allows any key and any compression ratio, for files of this package.
        remedy: the remedy in the refusal of other keys.

    Raises:
        InputError: the file is empty, not an archive, damaged, holds Python objects, or has an unknown key.
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
    """Opens one file of an archive, if it is compressed by a method that numpy uses."""
    if item.compress_type not in PACKING:
        raise ValueError("compressed by another method")
    return archive.open(item)


def one_number(array: np.ndarray, key: str, path: Path) -> float:
    """Returns the number that an array of one element holds.

    Raises:
        InputError: the array has another size or type.
    """
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise InputError(f"{path}: {key} must be one number, found {array.dtype} of shape {array.shape}; save a number")
    return float(array.reshape(()))


def write_archive(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an uncompressed `.npz` archive without dates, so that equal arrays give equal bytes."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for key, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def write_array(path: Path, array: np.ndarray) -> None:
    """Writes a `.npy` file."""
    with replacing(path) as temporary:
        np.save(temporary, array, allow_pickle=False)
