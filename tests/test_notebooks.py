"""The notebook of the tutorials runs from top to bottom, the code for scikit-learn too, and bars show what is done."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bouncegrad import RelationalInference, simulate
from bouncegrad.fitting.notebook_bar import NotebookBar, shown

TUTORIALS = Path(__file__).resolve().parents[1] / "docs" / "tutorials"


def cells() -> list[str]:
    notebook = json.loads((TUTORIALS / "notebook.ipynb").read_text())
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run(code: str, names: dict[str, object]) -> object:
    """Runs a cell and returns the value of its last line, if that is an expression."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def test_the_notebook_runs(tmp_path, monkeypatch):
    """With fewer tasks and epochs than on the page."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    values = [run(code.replace("220", "20").replace("200", "12").replace("=60", "=3"), names) for code in cells()]
    assert len(values) > 8
    cards = [value for value in values if hasattr(value, "_repr_html_") and "<svg" in (value._repr_html_() or "")]
    assert [type(card).__name__ for card in cards] == ["Trajectories", "Result", "Forecast"]
    assert bool(values[-1]) is True
    assert (tmp_path / "run" / "checkpoint.pt").exists()


@pytest.mark.slow
def test_the_notebook_finds_the_springs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    values = [run(code, names) for code in cells()]
    accuracy = next(value for code, value in zip(cells(), values, strict=True) if "edge_accuracy(" in code)
    assert accuracy > 0.97


def test_the_notebook_has_no_outputs_and_no_paths():
    text = (TUTORIALS / "notebook.ipynb").read_text()
    assert all(not cell.get("outputs") for cell in json.loads(text)["cells"])
    assert "/home" not in text


def test_the_search_for_settings_on_the_page_runs(capsys):
    pytest.importorskip("sklearn", reason="the extra sklearn is not installed")
    (code,) = re.findall(r"^```py\n(.*?)^```", (TUTORIALS / "notebook.md").read_text(), re.DOTALL | re.MULTILINE)
    exec(compile(code.replace("[40, 80]", "[2, 3]"), "page", "exec"), {})
    assert capsys.readouterr().out.endswith("(60, 3, 3)\n")


def test_progress_is_told_stage_by_stage():
    tasks = simulate("springs", 12, entities=3, frames=20, seed=0)
    seen: list[tuple[float, str]] = []
    model = RelationalInference(edge_types="auto", epochs=300, threads=1, edge_hidden=[8], node_hidden=[8])
    model.fit(tasks, progress=lambda share, words: seen.append((share, words)))
    assert all(0 <= share <= 1 for share, _ in seen)
    stages = [words.partition(", loss")[0] for _, words in seen]
    assert list(dict.fromkeys(stages)) == [*(f"choosing edge types, K = {k}" for k in (1, 2, 3, 4)), "training"]
    assert re.fullmatch(r"training, loss -?\d+\.\d{3}", seen[-1][1])


def test_nothing_is_shown_without_a_notebook(capsys, monkeypatch):
    for progress in (False, True):
        shown(progress)(0.5, "training")
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace()))
    shown(True)(0.5, "training")  # IPython in a terminal
    assert capsys.readouterr() == ("", "")


def test_a_bar_in_a_notebook(monkeypatch):
    updates: list[str] = []
    handle = SimpleNamespace(update=lambda bar: updates.append(bar._repr_html_()))
    display = SimpleNamespace(display=lambda bar, display_id: handle)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell, display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    bar = shown(True)
    assert isinstance(bar, NotebookBar)
    bar(0.25, "a < b")
    bar(0.26, "too soon")
    bar(1.0, "training")
    assert [update.partition("</progress>")[2].strip() for update in updates] == [
        " 25% a &lt; b".strip(),
        "100% training",
    ]
    assert 'value="0.250"' in updates[0]
