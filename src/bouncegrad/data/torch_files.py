"""Reads and writes files of torch. Only numbers, texts and containers of these are read, and nothing compressed."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

from bouncegrad.data.files import replacing


def write_torch(found: Any, path: Path) -> None:
    """Saves a file for `read_torch`; an older file is replaced only when the new one is complete.

    The file is given to torch as a stream, since with a path torch does not report that the disk is full.

    Raises:
        InputError: the file cannot be written.
    """
    import torch

    with replacing(path) as temporary, temporary.open("wb") as stream:
        try:
            torch.save(found, stream)
        except RuntimeError as error:  # torch replaces the error of the system, which states the reason, by its own
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def read_torch(path: Path) -> Any:
    """Returns what `torch.save` wrote: tensors, numbers, texts and containers of these, on torch's default device.

    Raises:
        ValueError: an entry is compressed. Torch never does that, and the entry might unpack to any size.
        Exception: damaged bytes and Python objects raise errors of nearly any type. No Python object is run.
    """
    import torch

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(item.compress_type != zipfile.ZIP_STORED for item in archive.infolist()):
                raise ValueError("entries are compressed")
    with warnings.catch_warnings(action="ignore"):  # torch warns about unknown pickles before it refuses them
        return torch.load(path, weights_only=True, map_location=torch.get_default_device())
