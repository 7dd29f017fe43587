"""`bouncegrad infer`, `evaluate`, `report`, `export` and `demo`."""

from __future__ import annotations

import json
import shlex
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from bouncegrad.app import training
from bouncegrad.app.columns import EDGE_BASELINES
from bouncegrad.app.commands import demo
from bouncegrad.data.formats import load, save
from bouncegrad.data.simulate import simulate
from bouncegrad.models.model import Model
from bouncegrad.results.metrics import edge_accuracy, relabelling
from bouncegrad.results.numbers import written
from bouncegrad.results.result import Result
from bouncegrad.runs.folder import Run

OF_EVALUATE = {
    "edge_accuracy",
    "edge_accuracy_symmetric",
    "auroc",
    "mse_1",
    "mse_10",
    "mse_20",
    "tasks",
    "seconds",
    "baselines",
}


def one_object(found) -> dict:
    """What `--json` printed: one object on one line, nothing else anywhere."""
    assert (found.status, found.err) == (0, "")
    assert found.out.endswith("}\n")
    assert found.out.count("\n") == 1
    parsed = json.loads(found.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert isinstance(parsed, dict)
    return parsed


def equal(first: Result, second: Result) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("edges", "probability", "loss"))


def test_infer_writes_what_the_model_infers(command, work):
    found = command("infer", "run", "springs.npz", "--out", "new/deep")
    assert (found.status, found.err) == (0, "")
    result = Result.load("new/deep/result.npz")
    assert equal(result, Model.load("run").infer(load("springs.npz")))
    assert result.context == 30
    assert {path.name for path in Path("new/deep").iterdir()} == {"result.npz", "edges.csv", "graph.svg"}


def test_edges_csv_has_the_names_of_the_table(command, work):
    found = command("infer", "run", "named.csv", "--out", "new", "--context", "12", "--json")
    about = one_object(found)
    assert (about["tasks"], about["entities"], about["context_frames"], about["part"]) == (24, 3, 12, None)
    assert about["files"] == ["new/edges.csv", "new/result.npz", "new/graph.svg"]
    table = pd.read_csv("new/edges.csv", dtype={"type": str})
    assert list(table.columns) == ["task", "source", "target", "type", "probability_0", "probability_1", "determined"]
    assert len(table) == 24 * 6
    names = ["ann", "bob", "cat"]
    assert set(table.source) == set(table.target) == set(names)
    assert list(table.task.unique()) == [f"day {i}" for i in range(24)]
    result = Result.load("new/result.npz")
    for row in table.itertuples():
        at = int(row.task.split()[1]), names.index(row.source), names.index(row.target)
        assert row.type == str(result.edges[at])
        assert [row.probability_0, row.probability_1] == result.probability[at].tolist()


def test_infer_replaces_an_older_result(command, work):
    before = Path("result/edges.csv").read_text()
    assert command("infer", "run", "springs.npz", "--out", "result", "--context", "5").status == 0
    assert Path("result/edges.csv").read_text() != before
    assert Result.load("result/result.npz").context == 5


@pytest.mark.parametrize("entities", [2, 6, 13])
def test_infer_takes_any_number_of_entities(command, work, entities):
    save(simulate("springs", 2, entities=entities, frames=4), "other.npz")
    assert one_object(command("infer", "run", "other.npz", "--out", "new", "--json"))["entities"] == entities
    assert Result.load("new/result.npz").edges.shape == (2, entities, entities)


def test_evaluate_of_the_training_file_uses_the_tasks_held_out(command, work):
    numbers = one_object(command("evaluate", "run", "springs.npz", "--json"))
    assert numbers.keys() >= OF_EVALUATE
    assert numbers["tasks"] == 6
    assert numbers["split"] == "tasks of springs.npz held out of training"
    held = load("springs.npz").select(Run("run").about()["held_out"])
    save(held, "held.npz")
    again = one_object(command("evaluate", "run", "held.npz", "--json"))
    assert again["split"] == "all tasks of held.npz"
    timeless = OF_EVALUATE - {"seconds"}
    assert {name: again[name] for name in timeless} == {name: numbers[name] for name in timeless}


def test_evaluate_prints_its_numbers_beside_the_baselines(command, work):
    found = command("evaluate", "run", "springs.npz")
    numbers = one_object(command("evaluate", "run", "springs.npz", "--json"))
    assert (found.status, found.err) == (0, "")
    lines = found.out.splitlines()
    assert lines[0] == "tasks of springs.npz held out of training: 6 tasks, 30 context frames"
    measured = next(line for line in lines if "undirected" in line and "edge accuracy" in line)
    assert measured.split()[-1] == "undirected"  # each task has a graph of its own: nothing is pooled
    beside = {line[:22].strip(): line.split()[-3:] for line in lines[lines.index(measured) :][1:7]}
    assert list(beside) == ["model", *EDGE_BASELINES.values()]
    for name, cells in zip(("model", *EDGE_BASELINES), beside.values(), strict=True):
        of = numbers if name == "model" else numbers["baselines"][name]
        expected = [of[key] for key in ("edge_accuracy", "auroc", "auroc_undirected")]
        assert [float(cell) for cell in cells] == pytest.approx(expected, abs=1e-4)
    errors = next(line.split("  ") for line in lines if "static" in line)
    columns = ["free-running", "one-step", "static", "constant velocity"]
    assert [name.strip() for name in errors if name.strip()] == columns
    row = next(line.split() for line in lines if line.startswith("edge accuracy  "))
    assert float(row[2]) == pytest.approx(numbers["edge_accuracy"], abs=1e-4)


def test_evaluate_says_when_it_looks_at_training_tasks(command, work):
    line = ["--data", "springs.npz", "--out", "new", "--holdout", "0", "--epochs", "1", "--threads", "1"]
    command("train", *line)
    numbers = one_object(command("evaluate", "new", "springs.npz", "--json"))
    assert (numbers["tasks"], numbers["split"]) == (24, "TRAINING tasks of springs.npz")


def test_evaluate_uses_the_test_part(command, work, springs):
    save(springs.select(range(10)), "kipf", "train", format="kipf")
    save(springs.select(range(10, 14)), "kipf", "test", format="kipf")
    command("train", "--data", "kipf", "--out", "new", "--epochs", "1", "--threads", "1")
    numbers = one_object(command("evaluate", "new", "kipf", "--json"))
    assert (numbers["tasks"], numbers["split"]) == (4, "part test of kipf")


def test_without_truth_edge_metrics_are_null(command, work, springs):
    """Users asked whether they must invent edges for recordings without a known truth."""
    np.save("bare.npy", springs.x[:6])
    numbers = one_object(command("evaluate", "run", "bare.npy", "--json"))
    assert [numbers[name] for name in ("edge_accuracy", "edge_accuracy_symmetric", "auroc")] == [None] * 3
    assert numbers["mse_1"] > 0
    assert "not available" in command("evaluate", "run", "bare.npy").out


def test_report_is_one_page_that_needs_nothing_else(command, work):
    found = command("report", "run")
    assert found == (0, "wrote run/report.html and run/curves.png\n", "")
    page = Path("run/report.html").read_text()
    numbers = one_object(command("evaluate", "run", "springs.npz", "--json"))
    assert f"{numbers['edge_accuracy']:.4g}"[:5] in page
    assert "bouncegrad report run" in page
    assert "held out of training" in page
    assert "<script src" not in page
    assert '<section id="law"' in page
    assert "Correlation with the true force" not in page  # a file does not say which law it was simulated with
    assert 'src="http' not in page
    assert command("report", "run", "--data", "named.csv", "--context", 9, "--out", "a/b.html").status == 0
    assert "9 context frames" in Path("a/b.html").read_text()


def test_report_takes_a_result_alone_or_with_its_recordings(command, work):
    assert command("report", "result") == (0, "wrote result/report.html\n", "")
    page = Path("result/report.html").read_text()
    assert "bouncegrad report result" in page
    assert all(f'<section id="{name}"' in page for name in ("numbers", "tasks", "undetermined"))
    assert not any(f'<section id="{name}"' in page for name in ("training", "law", "player"))
    assert page.count("<h3>Task ") == 6
    assert 'id="tracks-' not in page
    assert command("report", "result", "--data", "springs.npz", "--out", "b.html") == (0, "wrote b.html\n", "")
    page = Path("b.html").read_text()
    assert "all tasks of springs.npz: 24 tasks, 30 context frames" in page
    assert '<section id="player"' in page
    result = Result.load("result/result.npz")
    truth = load("springs.npz").edges
    right = edge_accuracy(truth, result.edges, relabelling(truth, result.edges, 2))
    assert f">{written(right)}<" in page


def test_report_of_a_result_refuses_other_recordings(command, work):
    found = command("report", "result", "--data", "named.csv")
    assert (found.status, found.out) == (2, "")
    assert "result/result.npz: its tasks or entities differ from those of named.csv" in found.err
    found = command("report", "result", "--context", 9)
    assert (found.status, "which has its number of frames" in found.err) == (2, True)


def test_report_reads_the_data_as_training_did(command, work, springs):
    np.savez("bare.npz", x=springs.x[..., :2], features=["x", "y"])
    line = ["--data", "bare.npz", "--velocities", "--out", "new", "--epochs", "1", "--threads", "1"]
    assert command("train", *line).status == 0
    assert command("report", "new").status == 0
    assert "cores, no GPU used" in Path("new/report.html").read_text()
    config = Path("new/config.yaml")
    config.write_text(config.read_text().replace("device: cpu", "device: auto"))
    assert command("report", "new").status == 0
    assert "cores, trained on a GPU if there was one" in Path("new/report.html").read_text()


def test_export_csv(command, work):
    whole = Path("result/edges.csv").read_text()
    assert command("export", "result", "--to", "csv", "--out", "new/a.csv") == (0, "wrote new/a.csv\n", "")
    assert Path("new/a.csv").read_text() == whole
    assert command("export", "result/result.npz", "--to", "csv", "--undirected").status == 0
    assert len(pd.read_csv("result/edges_undirected.csv")) == 24 * 3
    assert Path("result/edges.csv").read_text() == whole


def test_export_graphml(command, work):
    assert command("export", "result", "--to", "graphml").out == "wrote 24 files to result/graphml\n"
    line = ["--to", "graphml", "--without-type", "0", "--out", "some"]
    assert command("export", "result", *line).out == "wrote 24 files to some\n"
    result = Result.load("result/result.npz")
    for task, name in enumerate(result.tasks):
        whole, some = (nx.read_graphml(Path(folder) / f"task_{name}.graphml") for folder in ("result/graphml", "some"))
        assert (len(whole), whole.number_of_edges()) == (3, 6)
        found = np.zeros((3, 3), int)
        for source, target in some.edges:
            found[result.entities.index(source), result.entities.index(target)] = 1
        assert np.array_equal(found, result.edges[task])


@pytest.fixture
def small_demo(monkeypatch):
    monkeypatch.setattr(demo, "TRAINING_TASKS", 20)
    monkeypatch.setattr(demo, "NEW_TASKS", 4)


def test_demo_goes_from_nothing_to_a_report(command, tmp_path, small_demo):
    """Users reported that the link to the data was dead."""
    found = command("demo", "--epochs", 1, "--out", tmp_path / "d")
    assert (found.status, found.err) == (0, "")
    assert {path.name for path in (tmp_path / "d").iterdir()} == demo.OWN_FILES
    assert "edge accuracy" in found.out
    assert str(tmp_path / "d" / "report.html") in found.out
    assert np.array_equal(load(tmp_path / "d" / "new.npz").x, simulate("charged", 4, frames=99, seed=1).x)
    # The training set has every task, the new ones come from another seed.
    assert Run(tmp_path / "d" / "run").about()["shape"][0] == 20
    result = Result.load(tmp_path / "d" / "result.npz")
    assert equal(result, Model.load(tmp_path / "d" / "run").infer(load(tmp_path / "d" / "new.npz"), 49))


def test_demo_replaces_an_earlier_demo_and_nothing_else(command, work, small_demo):
    line = ["demo", "--epochs", 1, "--out"]
    assert command(*line, "d").status == 0
    before = Path("d/edges.csv").read_text()
    assert command(*line, "d", "--seed", 3).status == 0
    assert Path("d/edges.csv").read_text() != before
    Path("d/notes.txt").write_text("mine")
    for folder in ("d", "run", "result", "."):
        kept = sorted(path.name for path in Path(folder).iterdir())
        assert command(*line, folder).status == 2
        assert sorted(path.name for path in Path(folder).iterdir()) == kept


def test_a_demo_that_was_stopped_goes_on_as_it_says(command, tmp_path, small_demo, monkeypatch):
    """The printed command trains on all tasks, as the demo did."""
    with monkeypatch.context() as patch:
        patch.setattr(training, "stop_signal", lambda: nullcontext(lambda: True))
        found = command("demo", "--epochs", 2, "--out", tmp_path / "d d")
    assert found.status == 130
    line = found.out.splitlines()[-1]
    assert line.startswith("stopped; go on with: bouncegrad train --resume ")
    again = command(*shlex.split(line.partition("bouncegrad ")[2]))
    assert (again.status, again.err) == (0, "")
    run = Run(tmp_path / "d d" / "run")
    assert [row["epoch"] for row in run.rows() if row.get("stage") != "forecast"][-1] == 2
    assert len(run.state()["z"]) == 20


def test_a_name_that_looks_like_a_number_stays_a_name(command, work, springs):
    save(replace(springs.select(range(2)), entities=("1", "02", "3.0")), "odd.csv")
    assert command("infer", "run", "odd.csv", "--out", "new").status == 0
    table = pd.read_csv("new/edges.csv", dtype=str)
    assert set(table.source) == {"1", "02", "3.0"}
