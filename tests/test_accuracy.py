"""The figures of the README and docs/results.md, for `make test-slow`.

Commands are those of the pages, except that no run is limited by the speed of the machine: where a page gives minutes,
a test gives epochs, or so many minutes that the run ends after its last step.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bouncegrad.app.cli import main
from bouncegrad.data.formats import load
from bouncegrad.data.simulate import simulate
from bouncegrad.fitting.stages import train
from bouncegrad.models.laws import learned_law, true_law
from bouncegrad.models.model import Model
from bouncegrad.results.metrics import edge_accuracy, relabelling
from bouncegrad.settings.config import Config

pytestmark = pytest.mark.slow

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


def shared(path: str) -> Path:
    if not (SHARED / path).exists():
        pytest.skip(f"{path} is not beside the project")
    return SHARED / path


def bouncegrad(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


def evaluated(capsys: pytest.CaptureFixture[str], run: Path, data: Path) -> dict[str, Any]:
    capsys.readouterr()
    bouncegrad("evaluate", run, data, "--json")
    return json.loads(capsys.readouterr().out)


def agreements(run: Path, system: str) -> list[float]:
    """Returns the correlation of each learned law with the true force on new tasks; NaN where the force is 0."""
    data, model = simulate(system, 100, frames=49, seed=77), Model.load(run)
    result = model.infer(data)
    law, truth = learned_law(model, data, result), true_law(f"simulate {system}")
    assert law is not None
    assert truth is not None
    perm = relabelling(data.edges, result.edges, 2)
    assert perm is not None
    law = law.ordered(np.argsort(perm), ("0", "1"))
    assert law.fast < 0.1
    return [law.correlation(k, force) for k, force in enumerate(truth)]


def test_the_demo_is_right(tmp_path: Path) -> None:
    """Users reported that they did not reach the published accuracy."""
    bouncegrad("demo", "--epochs", 150, "--out", tmp_path / "demo")  # about those of its minute on one core
    new = load(tmp_path / "demo" / "new.npz")
    result = Model.load(tmp_path / "demo" / "run").infer(new, 49)
    assert new.edges is not None
    assert edge_accuracy(new.edges, result.edges, relabelling(new.edges, result.edges, 2)) >= 0.97
    assert (tmp_path / "demo" / "report.html").stat().st_size < 1e7
    assert min(agreements(tmp_path / "demo" / "run", "charged")) >= 0.95


def test_springs_of_the_published_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = shared("data/springs5_kipf")
    bouncegrad("train", "--preset", "springs5", "--data", data, "--out", tmp_path / "run", "--epochs", 300)
    numbers = evaluated(capsys, tmp_path / "run", data)
    assert numbers["edge_accuracy"] >= 0.99
    assert numbers["mse_1"] < numbers["baselines"]["constant_velocity"]["mse_1"]
    assert agreements(tmp_path / "run", "springs")[1] >= 0.99


@pytest.mark.parametrize(
    ("name", "types", "least"), [("directed3", 2, 0.98), ("springs4", 2, 0.98), ("types3", 3, 0.95)]
)
def test_other_systems_with_the_same_settings(
    name: str, types: int, least: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Users asked for three edge types without labels, and for the direction of edges."""
    data = shared(f"reports/fixtures/{name}.npz")
    bouncegrad("train", "--data", data, "--out", tmp_path / "run", "--edge_types", types, "--epochs", 750)
    assert evaluated(capsys, tmp_path / "run", data)["edge_accuracy"] >= least
    if name == "directed3":
        held_out = load(data).select(json.loads((tmp_path / "run" / "data.json").read_text())["held_out"])
        assert held_out.edges is not None
        edges = Model.load(tmp_path / "run").infer(held_out).edges
        turned = held_out.edges.transpose(0, 2, 1)
        assert edge_accuracy(turned, edges, relabelling(turned, edges, types)) < least - 0.2


def test_where_nobody_interacts_all_edges_are_of_the_pinned_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Users reported that no inferred edge ever had the type that means no interaction."""
    data = shared("reports/fixtures/free4.npz")
    bouncegrad("train", "--data", data, "--out", tmp_path / "run", "--pinned", "--epochs", 500)
    assert evaluated(capsys, tmp_path / "run", data)["edge_accuracy"] >= 0.95


@pytest.mark.parametrize(
    ("row", "least"),
    [
        ("charged5-20", 0.95),
        ("charged5-100", 0.98),
        ("charged5-symmetric", 0.997),
        ("charged5-entity-types", 0.999),
        ("kuramoto5", 0.96),
        ("springs5-on-10", 0.99),
    ],
)
def test_rows_of_the_benchmark(row: str, least: float, tmp_path: Path) -> None:
    """Users reported that they did not reach the published accuracy."""
    bouncegrad("benchmark", "accuracy", "--rows", row, "--minutes", 60, "--out", tmp_path)
    (path,) = tmp_path.iterdir()
    figures = json.loads(path.read_text())
    assert figures["edge_accuracy"] >= least
    assert figures["calibration_error"] <= 0.02


def test_the_published_search_learns(tmp_path: Path) -> None:
    config = Config(search="paper", proposal="learned", epochs=400)
    _, _, rows = train(config, simulate("charged", 200, seed=5))
    accuracy = [row["edge_accuracy"] for row in rows]
    assert np.mean(accuracy[-5:]) > np.mean(accuracy[:5]) + 0.03


def test_twenty_thousand_simulations_do_not_depend_on_threads(tmp_path: Path) -> None:
    bouncegrad("simulate", "charged", "--tasks", 20000, "--out", tmp_path / "two.npz")
    bouncegrad("simulate", "charged", "--tasks", 20000, "--out", tmp_path / "one.npz", "--threads", 1)
    one, two = (hashlib.sha256((tmp_path / name).read_bytes()).digest() for name in ("one.npz", "two.npz"))
    assert one == two


@pytest.mark.parametrize(
    ("system", "tasks", "share", "least"), [("springs", 1000, 0.1, 0.9), ("charged", 5000, 1.0, 0.8)]
)
def test_a_hidden_entity(system, tasks, share, least, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Checks hidden entities with two or more edges that are not of type 0: the error of tracks, and the edges."""
    train_on, new, run = (tmp_path / name for name in ("whole.npz", "new.npz", "run"))
    bouncegrad("simulate", system, "--tasks", tasks, "--out", train_on)
    bouncegrad("simulate", system, "--tasks", 30, "--seed", 1, "--out", new)
    bouncegrad("train", "--preset", f"{system}5", "--data", train_on, "--out", run, "--epochs", 131, "--forecast", 0)
    capsys.readouterr()
    bouncegrad("unseen", run, new, "--hide", 4, "--out", tmp_path / "found", "--json")
    rows = [row for row in json.loads(capsys.readouterr().out)["by_degree"] if row["interacts_with"] >= 2]
    weights = [row["tasks"] for row in rows]
    found, centre, edges = (
        np.average([row[key] for row in rows], weights=weights)
        for key in ("track_error", "centre_error", "hidden_edge_accuracy")
    )
    assert found <= share * centre
    assert edges >= least
