"""Every file of `examples/` runs in an empty folder; the code of docs/extending.md is part of these files."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
# For each example: a small argument, a text that it prints, and the files that it writes.
RUNS = {
    "own_composition": (100, "20 of 20", set()),
    "own_data": (3, "accuracy of all 100 graphs", {"edges.csv", "result.npz", "graph.png"}),
    "own_head": (2, "own_head:StudentT: ", set()),
    "own_format": (10, "1 task, 10 frames, 3 entities, 1 feature (height), truth unknown\nrefused: walk.tsv", set()),
    "own_prior": (2, "with the prior: near 0.7", set()),
    "own_proposal": (40, "Steepness: 20 of 20", set()),
    "own_search": (40, "20 of 20", set()),
    "paper_search": (1, "accuracy", set()),
}


def test_every_example_is_run() -> None:
    assert {file.stem for file in EXAMPLES.glob("*.py")} == set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_examples_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    argument, printed, files = RUNS[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](argument)
    assert printed in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == files


def test_recipes_are_parts_of_examples() -> None:
    page = (ROOT / "docs" / "extending.md").read_text()
    recipes = re.findall(r"\[`?examples/(\w+)\.py`?\][^`]*```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(recipes) == page.count("```python")
    for name, code in recipes:
        assert code.strip() in (EXAMPLES / f"{name}.py").read_text(), code.splitlines()[0]
