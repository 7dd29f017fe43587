"""Files of torch: nothing but numbers, texts and containers of these is read, and no more than the file holds."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

from bouncegrad.data.files import replacing


def write_torch(found: Any, path: Path) -> None:
    """Saves for `read_torch`, replacing an older file only when complete.

    Given a path in place of a stream, torch does not say that a disk is full.

    Raises:
        InputError: the file cannot be written.
    """
    import torch

    with replacing(path) as temporary, temporary.open("wb") as stream:
        try:
            torch.save(found, stream)
        except RuntimeError as error:  # torch counts what it wrote, after the system has said why it did not
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def read_torch(path: Path) -> Any:
    """What `torch.save` wrote: tensors, numbers, texts and containers of these, on the device of the moment.

    Raises:
        ValueError: an entry is packed, which torch never does: it might unpack to any size.
        Exception: of nearly any kind, from damaged bytes and from Python objects, none of which are run.
    """
    import torch

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(item.compress_type != zipfile.ZIP_STORED for item in archive.infolist()):
                raise ValueError("entries are packed")
    with warnings.catch_warnings(action="ignore"):  # torch wonders about foreign pickles before it refuses
        return torch.load(path, weights_only=True, map_location=torch.get_default_device())
