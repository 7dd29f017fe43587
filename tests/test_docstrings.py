"""The examples in docstrings are true: each runs with the names of its own module, in an empty folder."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import bouncegrad

HOME = Path(bouncegrad.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(("bouncegrad", *file.relative_to(HOME).with_suffix("").parts)).removesuffix(".__init__")
    for file in HOME.rglob("*.py")
    if ">>> " in file.read_text()
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_of_docstrings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(import_module(name)).failed == 0, "see the output above"


def test_there_are_examples() -> None:
    assert len(WITH_EXAMPLES) > 20
