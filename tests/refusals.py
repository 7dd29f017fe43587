"""Checks that hold for every refusal of the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Returns every path below a folder, with the content of files."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def assert_refused(command: Callable[..., Any], words: list[object], *says: str) -> None:
    """Asserts status 2, one line on stderr with all of `says` and a remedy, and no file made or changed."""
    before = snapshot(Path.cwd())
    found = command(*words)
    assert found.status == 2, found
    assert found.err.startswith("bouncegrad: ")
    assert found.err.endswith("\n")
    assert found.err.count("\n") == 1, found.err
    assert "Traceback" not in found.err
    assert "class '" not in found.err
    assert ";" in found.err, "the remedy stands after a semicolon"
    for part in says:
        assert part in found.err
    assert snapshot(Path.cwd()) == before
