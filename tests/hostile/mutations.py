"""Damage to valid files: bytes cut, flipped and spliced, headers that claim huge arrays, pickles, odd cells."""

from __future__ import annotations

import io
import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from .corpus import Case, as_npy

SIZES = (0, 1, -1, 2, 3, 10**5, 10**9, 2**31, 2**63, 10**30)
KINDS = ("<f8", ">f2", "|O", "<U0", "<U9999999", "|V0", "<c16", "<M8[s]", "|b1", "<i8", "<u1", "<f4")
CELLS = (
    *(
        "",
        "nan",
        "-inf",
        "1e308",
        "1e999",
        "0x10",
        "1_0",
        "٣",
        "True",
        "\x00",
        '"',
        "\ud7ff",
        "a\nb",
        "\x1b[31m",
        "../../a",
    ),
    *(
        "9" * 30,
        "9" * 5000,
        "x" * 200_000,
        "-1",
        "0.5",
        "NA",
        "=1+1",
        "1,2",
        "\ufeff",
        "\r",
        "é" * 300,
        "task",
        "a:b:c",
        "_",
    ),
)


class Evil:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("evil",)


def packed(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    """Returns the members of an archive; none if it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # it was damaged by a mutation before
        return {}


def header(kind: str, shape: tuple[int, ...], turned: bool = False) -> bytes:
    """The header of a `.npy` file."""
    text = f"{{'descr': {kind!r}, 'fortran_order': {turned}, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


HUGE = [10**9, 10**12]
BOMBS = {size: packed({"x.npy": header("<f8", (1, size // 32, 2, 2)) + bytes(30_000_000)}) for size in HUGE}


@st.composite
def headers(draw) -> bytes:
    """A header of any kind and shape, and a few bytes after it."""
    shape = tuple(draw(st.lists(st.sampled_from(SIZES), max_size=5)))
    return header(draw(st.sampled_from(KINDS)), shape, draw(st.booleans())) + draw(st.binary(max_size=64))


@st.composite
def changed(draw, content: bytes, other: bytes) -> bytes:
    """Bytes that are cut, flipped, spliced or inserted."""
    at = draw(st.integers(0, len(content)))
    match draw(st.sampled_from(["cut", "flip", "splice", "insert", "double", "nothing"])):
        case "cut":
            return content[:at]
        case "flip":
            flipped = bytearray(content)
            for place in draw(st.lists(st.integers(0, max(len(content) - 1, 0)), min_size=1, max_size=8)):
                flipped[place : place + 1] = bytes([draw(st.integers(0, 255))])
            return bytes(flipped)
        case "splice":
            start = draw(st.integers(0, len(other)))
            return content[:at] + other[start : start + draw(st.integers(0, 200))] + content[at:]
        case "insert":
            return content[:at] + draw(st.binary(max_size=20)) + content[at:]
        case "double":
            return content[:at] + content
        case _:
            return b""


@st.composite
def rewritten(draw, name: str, content: bytes) -> bytes:
    """A file with an error in its own layout."""
    if name.endswith(".npy"):
        return draw(st.one_of(headers(), st.just(as_npy(np.array([Evil()], dtype=object)))))
    if name.endswith(".npz"):
        members = unpacked(content)
        if not members or draw(st.integers(0, 9)) == 0:
            return BOMBS[draw(st.sampled_from(HUGE))]
        key = draw(st.sampled_from([*members, "../../evil.npy", "new\nkey.npy", "\x1b[2J.npy", "x"]))
        members[key] = draw(
            st.one_of(
                headers(), st.just(as_npy(np.array([Evil()], dtype=object))), st.just(as_npy(np.array(["\ud800"])))
            )
        )
        return packed(members, draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])))
    if name.endswith((".csv", ".txt", ".yaml", ".json", ".jsonl", ".ndjson", ".xyz", ".lammpstrj")):
        cells = re.split(rb"([,\n :;\t])", content)
        for _ in range(draw(st.integers(1, 3))):
            cell = draw(st.sampled_from(CELLS)).encode()
            cells[draw(st.integers(0, len(cells) - 1))] = cell if draw(st.booleans()) else b'"' + cell + b'"'
        return b"".join(cells)
    return content[: len(content) // 2]


@st.composite
def spoiled(draw, cases: dict[str, Case]) -> tuple[str, Case]:
    """A case of the corpus, one or two of its files changed."""
    kind = draw(st.sampled_from(sorted(cases)))
    case = cases[kind]
    files = dict(case.files)
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(files)))
        if draw(st.booleans()):
            files[name] = draw(rewritten(name, files[name]))
        else:
            files[name] = draw(changed(files[name], draw(st.sampled_from(sorted(files.values())))))
    return kind, replace(case, files=files)


def lay(case: Case, folder: Path) -> None:
    """Writes the files of a case."""
    for name, content in case.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
