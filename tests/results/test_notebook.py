"""What notebooks show: every card has the main numbers and a picture, is made fast, and never fails."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from html import unescape
from xml.etree import ElementTree

import numpy as np
import pytest

from bouncegrad import InputError, RelationalInference, Result, Trajectories
from bouncegrad.data import cards, recordings_card
from bouncegrad.data.simulate import simulate
from bouncegrad.results import plots
from bouncegrad.results.verdict import Rival, Verdict

SHORT = {"epochs": 3, "threads": 1, "edge_hidden": [16], "node_hidden": [16]}


@pytest.fixture(scope="module")
def tasks() -> Trajectories:
    return simulate("springs", 8, entities=3, frames=30, seed=0)


@pytest.fixture(scope="module")
def model(tasks) -> RelationalInference:
    return RelationalInference(**SHORT | {"epochs": 150}).fit(tasks)


@pytest.fixture(scope="module")
def shown(tasks, model) -> dict[str, object]:
    return {
        "recordings": tasks,
        "result": model.infer(tasks, context=20),
        "forecast": model.forecast(tasks, 6, 20),
        "unseen": model.unseen(tasks[:2]),
        "estimator": model,
    }


def read(html: str) -> ElementTree.Element:
    """Cards are well-formed, so they can be read as XML once entities of HTML are none."""
    assert "<script" not in html
    return ElementTree.fromstring(html.replace("&nbsp;", " "))


@pytest.mark.parametrize(
    ("name", "pictures", "says"),
    [
        (
            "recordings",
            1,
            ["Trajectories", "30, 0.1 apart", "3: 0, 1, 2", "4: x, y, vx, vy", "known", "simulate springs"],
        ),
        ("result", 1, ["Result", "8", "0, 1", "20", "of the edges: no type has a probability of 0.75", "nats"]),
        ("forecast", 1, ["Forecast", "6 after 20, 0.1 apart", "mean width in the last frame: x "]),
        ("unseen", 2, ["Unseen entities", "of 2 tasks", "4: 0, 1, 2, unseen"]),
        ("estimator", 1, ["RelationalInference(epochs=150", "fitted", "150", "nats per number"]),
    ],
)
def test_cards(shown, name, pictures, says):
    shown[name]._repr_html_()  # loads Matplotlib
    start = time.perf_counter()
    html = shown[name]._repr_html_()
    assert time.perf_counter() - start < 2
    tree = read(html)
    text = "\n".join(tree.itertext())
    for part in says:
        assert part in text
    assert html.count("<svg") == pictures
    assert len(html) < 100_000
    assert html == shown[name]._repr_html_()


def test_verdicts_are_shown(shown):
    said = Verdict("nothing", (Rival("learned modules", 1.0, 0.0),), 0.1)
    html = replace(shown["result"], verdict=said, unlike=("they are faster",))._repr_html_()
    assert said.sentence in unescape(html)
    assert "they are faster" in html


def test_names_are_no_html(tasks, model):
    named = replace(tasks, entities=("<b>", "&", '"'), tasks=("<script>", *"1234567"), source="<i>")
    for thing in (named, model.infer(named), model.forecast(named, 3)):
        text = "\n".join(read(thing._repr_html_()).itertext())
        assert '<b>, &, "' in text


def test_unfitted():
    assert "not fitted yet" in RelationalInference(seed=3)._repr_html_()


def test_every_kind_of_recordings_has_a_card(tasks):
    gap = np.ones((8, 30, 3), dtype=bool)
    gap[0, :, 1] = False
    gap[0, 4:9, 0] = False
    nobody = replace(tasks, mask=np.zeros((8, 30, 3), dtype=bool))
    kinds = (
        replace(tasks, mask=gap),
        nobody,
        simulate("kuramoto", 2, entities=3, frames=30, seed=0),
        replace(tasks, x=np.zeros_like(tasks.x)),
        replace(tasks, x=np.full_like(tasks.x, np.inf)),
        Trajectories(np.random.default_rng(0).normal(size=(1, 2000, 200, 2)), features=("x", "y")),
    )
    for data in kinds:
        start = time.perf_counter()
        html = data._repr_html_()
        assert time.perf_counter() - start < 2
        assert "Trajectories" in "\n".join(read(html).itertext())
        assert len(html) < 150_000
    assert "of the cells" in kinds[0]._repr_html_()
    assert kinds[0]._repr_html_().count("M") >= 3  # the gap begins a new part of a path


def test_many_entities_have_numbers_but_no_graph():
    n = 61
    probability = np.zeros((1, n, n, 2))
    probability[..., 0] = 1 - np.eye(n)
    html = Result.from_probability(probability, np.zeros(1), context=9)._repr_html_()
    assert "<svg" not in html
    assert "61: 0, 1, 2, 3, 4, 5, 6, 7 and 53 more" in html


def test_a_failing_picture_leaves_the_numbers(shown, monkeypatch):
    def broken(*args, **options):
        raise RuntimeError("no picture")

    monkeypatch.setattr(plots, "network", broken)
    html = shown["result"]._repr_html_()
    assert "<svg" not in html
    assert "nats per number" in html
    assert cards.attempted(broken) is None
    monkeypatch.setattr(recordings_card, "card", broken)
    assert shown["recordings"]._repr_html_() is None


def test_recordings_are_shown_without_matplotlib():
    code = "import sys; from bouncegrad import simulate; data = simulate('springs', 2, frames=9)\n"
    code += "assert '<svg' in data._repr_html_() and 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_conversions(shown):
    result = shown["result"]
    assert len(result.to_pandas()) == 8 * 6
    assert len(result.to_pandas(undirected=True)) == 8 * 3
    graph = result.to_networkx(2)
    assert (graph.name, graph.number_of_edges()) == ("2", 6)
    assert result.to_networkx().name == "0"
    types = {(s, t): int(data["type"]) for s, t, data in result.to_networkx(-1, without_type=0).edges(data=True)}
    assert types == {
        (str(s), str(t)): int(result.edges[-1, s, t]) for s, t in zip(*result.edges[-1].nonzero(), strict=True)
    }
    with pytest.raises(InputError, match="task 8: inferred from simulate springs has the tasks 0 to 7"):
        result.to_networkx(8)


def test_graphs_of_pyg(shown):
    pytest.importorskip("torch_geometric", reason="the extra pyg is not installed")
    result = shown["result"]
    graph = result.to_pyg(3)
    assert graph.validate()
    assert (graph.num_nodes, graph.num_edges, graph.entities) == (3, 6, ["0", "1", "2"])
    for (source, target), k, shares in zip(
        graph.edge_index.T.tolist(), graph.edge_type.tolist(), graph.edge_attr.numpy(), strict=True
    ):
        assert k == result.edges[3, source, target]
        np.testing.assert_allclose(shares, result.probability[3, source, target], atol=1e-6)
    assert result.to_pyg(3, without_type=0).num_edges == np.count_nonzero(result.edges[3])


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [
        ("to_pandas", "pandas", "pandas"),
        ("to_networkx", "networkx", "networkx"),
        ("to_pyg", "torch_geometric.data", "torch_geometric"),
    ],
)
def test_missing_packages_are_named(shown, monkeypatch, name, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=f"needs {package}, which is not installed; pip install {package}"):
        getattr(shown["result"], name)()
