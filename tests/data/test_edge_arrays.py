"""Edges given beside recordings: a matrix, a vector or a table of pairs of the same truth are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.formats.edge_arrays import read_truth
from bouncegrad.data.trajectories import Trajectories

from .test_formats import SHARED, few, recordings

NAMES = ("a", "b", "c")
PAIRS = {  # of three entities, without self-edges
    "source": [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)],
    "target": [(1, 0), (2, 0), (0, 1), (2, 1), (0, 2), (1, 2)],
}


def data(m: int = 1) -> Trajectories:
    return recordings(m, entities=NAMES, tasks=("p", "q")[:m]).without_edges()


def array(folder: Path, values: object) -> Path:
    np.save(folder / "e.npy", np.asarray(values))
    return folder / "e.npy"


def text(folder: Path, *lines: str) -> Path:
    (folder / "e.csv").write_text("\n".join(lines) + "\n")
    return folder / "e.csv"


def refused(path: Path, m: int = 1, order: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read_truth(path, data(m), order)
    line = str(caught.value)
    assert "\n" not in line
    return line.removeprefix(str(path))


def test_a_matrix_has_row_source_and_column_target(tmp_path):
    one = [[0, 1, 2], [0, 0, 0], [3, 0, 0]]
    assert read_truth(array(tmp_path, one), data()).tolist() == [one]
    assert read_truth(array(tmp_path, np.array(one, float)), data()).tolist() == [one]


def test_a_graph_without_tasks_is_shared_by_all(tmp_path):
    one, other = np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]]), np.array([[0, 0, 0], [0, 0, 2], [0, 0, 0]])
    assert read_truth(array(tmp_path, one), data(2)).tolist() == [one.tolist()] * 2
    assert read_truth(array(tmp_path, [one, other]), data(2)).tolist() == [one.tolist(), other.tolist()]
    assert read_truth(array(tmp_path, [0, 0, 0, 5, 0, 0]), data(2), "source")[:, 1, 2].tolist() == [5, 5]


@pytest.mark.parametrize("order", PAIRS)
def test_a_vector_goes_by_the_order_that_is_named(tmp_path, order):
    found = read_truth(array(tmp_path, [1, 2, 3, 4, 5, 6]), data(), order)
    for kind, (source, target) in enumerate(PAIRS[order], start=1):
        assert found[0, source, target] == kind


def test_two_entities_in_two_tasks_are_not_told_by_their_sizes(tmp_path):
    two = recordings(2, n=2).without_edges()  # a matrix [2, 2] for all, and vectors [2, 2] of both
    path = array(tmp_path, [[0, 1], [2, 0]])
    assert read_truth(path, two).tolist() == [[[0, 1], [2, 0]]] * 2
    assert read_truth(path, two, "source").tolist() == [[[0, 0], [1, 0]], [[0, 2], [0, 0]]]


def test_a_text_matrix_says_what_its_rows_are(tmp_path):
    path = text(tmp_path, "source,c,a,b", "b,2,0,0", "a,0,0,1", "c,0,0,0")
    assert read_truth(path, data()).tolist() == [[[0, 1, 0], [0, 0, 2], [0, 0, 0]]]
    path = text(tmp_path, "target,c,a,b", "b,2,0,0", "a,0,0,1", "c,0,0,0")
    assert read_truth(path, data()).tolist() == [[[0, 0, 0], [1, 0, 0], [0, 2, 0]]]


def test_text_matrices_of_several_tasks(tmp_path):
    rows = ["q,a,0,0,1", "q,b,0,0,0", "q,c,0,0,0", "p,a,0,0,0", "p,b,1,0,0", "p,c,0,0,0"]
    found = read_truth(text(tmp_path, "run,source,a,b,c", *rows), data(2))
    assert np.argwhere(found).tolist() == [[0, 1, 0], [1, 0, 2]]
    shared = read_truth(text(tmp_path, "source,a,b,c", "a,0,0,1", "b,0,0,0", "c,0,0,0"), data(2))
    assert np.argwhere(shared).tolist() == [[0, 0, 2], [1, 0, 2]]


@pytest.mark.parametrize(
    ("values", "order", "message"),
    [
        (
            np.zeros(6),
            None,
            "(1, 3, 3) (task, source, target) or (3, 3) for all tasks; for a vector of pairs, name its",
        ),
        (
            np.zeros(5),
            "source",
            "shape (5,), but array has 1 task of 3 entities, which need (1, 6) (task, pair) or (6,)",
        ),
        (
            np.zeros((3, 3)),
            "target",
            "shape (3, 3), but array has 1 task of 3 entities, which need (1, 6) (task, pair)",
        ),
        (np.zeros((2, 3, 3)), None, "shape (2, 3, 3), but array has 1 task of 3 entities, which need (1, 3, 3)"),
        (np.diag([0, 0, 1]), None, "task p has an edge from entity c to itself; set the diagonal to 0"),
        ([0, 0, 0, 0, 0, 0.5], "source", "the value 0.5 among the edges of task 0; write the types 0, 1, ..."),
        ([0, 0, 0, 0, 0, -2], "source", "the value -2 among the edges of task 0; write the types"),
        (np.full((3, 3), "a"), None, ""),
        (np.zeros(6), "receiver", "the order of edges is 'receiver'; choose one of source, target"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, values, order, message):
    assert message in refused(array(tmp_path, values), order=order)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["source,a,b", "a,0,0"], ", line 1: no column for entity 'c' of array (a, b, c); a table of pairs has the"),
        (["source,a,b,c,d"], ", line 1: column 'd' is no entity of array (a, b, c)"),
        (["target,type", "a,1"], ", line 1: column 'type' is no entity of array"),
        (["source,a,b,c", "a,0,0,0", "b,0,0,0"], ": 0 rows for source c; give one for each entity"),
        (["target,a,b,c", "a,0,0,0", "b,0,0,0", "b,0,0,0", "c,0,0,0"], ": 2 rows for target b; give one for each"),
        (["source,a,b,c", "d,0,0,0"], ", line 2: source 'd' is no entity of array (a, b, c); correct the name"),
        (["source,a,b,c", "a,1,0,0", "b,0,0,0", "c,0,0,0"], ": task p has an edge from entity a to itself"),
        (["source,a,b,c", "a,0,0,0", "b,?,0,0", "c,0,0,0"], ", line 3: a holds '?', which is no finite number"),
        (["source,a,b,c", "a,0,0,0", "b,0.5,0,0", "c,0,0,0"], ": the value 0.5 among the edges of task 0"),
        (["a,b,c", "0,0,1"], ", line 1: no column source and target and type among a, b, c"),
    ],
)
def test_text_matrices_that_do_not_fit(tmp_path, lines, message):
    assert refused(text(tmp_path, *lines)).startswith(message)


def test_rows_of_a_task_that_are_missing_name_the_task(tmp_path):
    rows = [f"p,{name},0,0,0" for name in NAMES]
    assert refused(text(tmp_path, "task,source,a,b,c", *rows), 2) == (
        ": 0 rows for source a in task q; give one for each entity"
    )


def test_an_order_goes_with_a_vector_only(tmp_path):
    path = text(tmp_path, "task,source,target,type", "p,a,b,1")
    assert refused(path, order="source") == ": an order of edges goes with a vector in a .npy file; leave it out"
    save(data(), tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"a\.npz: an order of edges is given but no vector"):
        load(tmp_path / "a.npz", edges_order="source")


@few
@given(n=st.integers(2, 5), m=st.integers(1, 3), seed=st.integers(0, 99))
def test_every_form_of_one_truth_is_read_alike(tmp_path_factory, n, m, seed):
    """Users reported an accuracy near chance after they converted edges by hand."""
    truth = recordings(m, n=n, seed=seed)
    assert truth.edges is not None
    hidden, folder = truth.without_edges(), tmp_path_factory.mktemp("edges")
    save(truth, folder / "a.csv")
    apart = ~np.eye(n, dtype=bool)
    forms = {
        "matrix": (truth.edges, None),
        "by_source": (truth.edges[:, apart], "source"),
        "by_target": (truth.edges.transpose(0, 2, 1)[:, apart], "target"),
    }
    for name, (values, order) in forms.items():
        np.save(folder / f"{name}.npy", values)
        assert np.array_equal(read_truth(folder / f"{name}.npy", hidden, order), truth.edges)
    assert np.array_equal(read_truth(folder / "a_edges.csv", hidden), truth.edges)


@pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside the repository")
def test_the_truth_of_a_directed_system_in_three_forms(tmp_path):
    """Users reported an accuracy near chance after they converted edges by hand; three layouts give the same edges."""
    truth = load(SHARED / "reports/fixtures/directed3.npz")
    assert truth.edges is not None
    path = tmp_path / "a.npz"
    save(truth.without_edges(), path)
    save(truth, tmp_path / "b.csv")
    np.save(tmp_path / "m.npy", truth.edges)
    np.save(tmp_path / "v.npy", truth.edges[:, ~np.eye(3, dtype=bool)])
    for name, order in (("b_edges.csv", None), ("m.npy", None), ("v.npy", "source")):
        found = load(path, edges=tmp_path / name, edges_order=order).edges
        assert np.array_equal(found, truth.edges)
    turned = load(path, edges=tmp_path / "v.npy", edges_order="target").edges
    assert np.array_equal(turned, truth.edges.transpose(0, 2, 1))
