"""Exported tables and graphs have every ordered pair once, with names, and can be read back without loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from bouncegrad.data.formats.edge_table import read_edges
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.export import edge_table, to_networkx, write_edges_csv, write_graphml
from bouncegrad.results.metrics import symmetric, symmetric_probability
from bouncegrad.results.result import ONE_GRAPH, PINNED, Result


def test_directed_tables_have_12_rows_a_task_and_undirected_6(result: Result) -> None:
    """Users reported a number of rows that did not match the number of edges."""
    directed, undirected = edge_table(result), edge_table(result, undirected=True)
    assert set(directed.groupby("task").size()) == {12}
    assert set(undirected.groupby("task").size()) == {6}
    for table in (directed, undirected):
        assert set(table["source"]) | set(table["target"]) == {"Ada", "Boris", "Chen", "Dalia"}
        assert (table["source"] != table["target"]).all()
        assert not table.duplicated(["task", "source", "target"]).any()


def test_rows_have_the_probabilities_of_their_pair(result: Result) -> None:
    named = replace(result, type_names=("none", "spring"), tasks=tuple("abcdefgh"))
    table = edge_table(named)
    probabilities = ["probability_none", "probability_spring"]
    assert list(table) == ["task", "source", "target", "type", *probabilities, "determined"]
    for row in table.to_dict("records"):
        at = named.tasks.index(row["task"]), *(named.entities.index(row[end]) for end in ("source", "target"))
        assert row["type"] == named.type_names[named.edges[at]]
        assert [row[name] for name in probabilities] == named.probability[at].tolist()
        assert row["determined"] == ("yes" if named.probability[at].max() >= 0.75 else "no")
    first = table.iloc[:3]
    assert first["target"].tolist() == ["Ada"] * 3
    assert first["source"].tolist() == ["Boris", "Chen", "Dalia"]


def test_undirected_to_matrix_and_back(result: Result) -> None:
    """Users asked which value belongs to which pair of an undirected graph."""
    generator = np.random.default_rng(0)
    probability = generator.dirichlet([1, 1, 1], (2, 4, 4)) * (1 - np.eye(4))[:, :, None]
    mixed = Result.from_probability(probability, np.zeros(2), 5)
    table = edge_table(mixed, undirected=True)
    edges, both = np.zeros((2, 4, 4), int), np.zeros((2, 4, 4, 3))
    for row in table.to_dict("records"):
        m, s, t = int(row["task"]), int(row["source"]), int(row["target"])
        edges[m, s, t] = edges[m, t, s] = int(row["type"])
        both[m, s, t] = both[m, t, s] = [row[f"probability_{k}"] for k in range(3)]
    np.testing.assert_array_equal(edges, symmetric(probability))
    np.testing.assert_allclose(both, symmetric_probability(probability))


def many(priors: tuple[str, ...] = ()) -> Result:
    """Three tasks of 13 entities, in which few pairs interact."""
    generator = np.random.default_rng(0)
    sure = generator.beta(0.3, 2.0, (3, 13, 13))
    probability = np.stack([1 - sure, sure], axis=-1) * (1 - np.eye(13))[:, :, None]
    names = tuple(f"n{i}" for i in range(13))
    return Result.from_probability(probability, np.zeros(3), 5, entities=names, priors=priors)


@pytest.mark.parametrize("undirected", [False, True])
def test_tables_of_many_entities_leave_out_only_determined_pairs_without_interaction(tmp_path, undirected) -> None:
    found = many((PINNED,))
    write_edges_csv(found, tmp_path / "edges.csv", undirected=undirected)
    written = pd.read_csv(tmp_path / "edges.csv", dtype={"task": str, "type": str})
    full = edge_table(found, undirected=undirected)
    kept = full[(full["type"] == "1") | (full["determined"] == "no")].reset_index(drop=True)
    assert 0 < len(kept) < len(full) / 2
    assert {"yes", "no"} == set(kept["determined"])
    exact = ["task", "source", "target", "type", "determined"]
    pd.testing.assert_frame_equal(written[exact], kept[exact], check_dtype=False)
    for name in ("probability_0", "probability_1"):
        assert abs(written[name] - kept[name]).max() <= 0.5e-4 + 1e-12
        assert (written[name] == written[name].round(4)).all()


def test_tables_of_many_entities_have_all_pairs_if_no_type_is_known_to_mean_absence(tmp_path: Path) -> None:
    write_edges_csv(many(), tmp_path / "edges.csv")
    assert len(pd.read_csv(tmp_path / "edges.csv")) == 3 * 13 * 12


def test_a_short_table_is_read_as_the_same_edges(tmp_path: Path) -> None:
    found = many((PINNED,))
    write_edges_csv(found, tmp_path / "edges.csv")
    data = Trajectories(np.zeros((3, 2, 13, 1)), features=("x",), entities=found.entities)
    np.testing.assert_array_equal(read_edges(tmp_path / "edges.csv", data), found.edges)


def test_a_graph_of_all_tasks_is_listed_once(result: Result) -> None:
    same = np.broadcast_to(result.probability[:1], result.probability.shape)
    shared = Result.from_probability(same, result.loss, 5, entities=result.entities, priors=(ONE_GRAPH,))
    table = edge_table(shared)
    first = edge_table(result).query("task == '0'").drop(columns="task")
    pd.testing.assert_frame_equal(table, first)
    assert len(edge_table(shared, undirected=True)) == 6
    groups = replace(shared, probability=result.probability, edges=result.edges)
    assert len(edge_table(groups)) == len(edge_table(replace(shared, priors=()))) == 8 * 12


def test_csv_round_trip(result: Result, tmp_path: Path) -> None:
    write_edges_csv(result, tmp_path / "edges.csv")
    read = pd.read_csv(tmp_path / "edges.csv", dtype={"task": str, "type": str})
    pd.testing.assert_frame_equal(read, edge_table(result), check_exact=True, check_dtype=False)
    write_edges_csv(result, tmp_path / "pairs.csv", undirected=True)
    assert len(pd.read_csv(tmp_path / "pairs.csv")) == 8 * 6


def test_networkx_keeps_direction_type_and_probability(result: Result) -> None:
    graph = to_networkx(result, 3)
    assert list(graph) == list(result.entities)
    assert graph.number_of_edges() == 12
    for source, target, held in graph.edges(data=True):
        at = 3, result.entities.index(source), result.entities.index(target)
        assert held == {"type": str(result.edges[at]), "probability": result.probability[(*at, result.edges[at])]}
    drawn = to_networkx(result, 3, without_type=0)
    assert drawn.number_of_edges() == (result.edges[3] == 1).sum()
    assert list(drawn) == list(result.entities)


def test_graphml_round_trip_with_difficult_names(result: Result, tmp_path: Path) -> None:
    names = ("a/b", "a:b", "../up", "A/B", "é ü", "x" * 300, "", "7")
    named = replace(result, tasks=names)
    paths = write_graphml(named, tmp_path / "graphs", without_type=1)
    assert sorted(paths) == sorted((tmp_path / "graphs").iterdir())
    assert len({path.name.lower() for path in paths}) == 8
    for task, path in enumerate(paths):
        read, wanted = nx.read_graphml(path), to_networkx(named, task, without_type=1)
        assert dict(read.edges) == dict(wanted.edges)
        assert set(read) == set(wanted)
        assert read.is_directed()
