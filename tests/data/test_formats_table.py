"""The long table and its table of edges: every refusal names the line, or the task whose rows do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.formats.order import natural

from ..measuring import calls
from .test_formats import SHARED, assert_equal, few, recordings, refused

# Two tasks, two frames, two entities; lines 2 to 9.
ROWS = ["p,0,a,1", "p,0,b,2", "p,0.5,a,3", "p,0.5,b,4", "q,7,a,5", "q,7,b,6", "q,7.5,a,7", "q,7.5,b,8"]


def table(folder: Path, rows: list[str] | None = None, header: str = "task,time,entity,x") -> Path:
    path = folder / "a.csv"
    path.write_text("\n".join([header, *(ROWS if rows is None else rows)]) + "\n")
    return path


def edge_table(folder: Path, *rows: str, header: str = "task,source,target,type") -> Path:
    path = folder / "a_edges.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def refused_edges(folder: Path, *rows: str, header: str = "task,source,target,type") -> str:
    path = edge_table(folder, *rows, header=header)
    with pytest.raises(InputError) as caught:
        load(table(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(path))


def test_rows_in_any_order(tmp_path):
    expected = np.arange(1.0, 9.0).reshape(2, 2, 2, 1)
    orders = np.random.default_rng(0)
    for _ in range(5):
        data = load(table(tmp_path, [*orders.permutation(ROWS)]))
        tasks = [data.tasks.index(name) for name in "pq"]
        entities = [data.entities.index(name) for name in "ab"]
        assert np.array_equal(data.x[tasks][:, :, entities], expected)
    data = load(table(tmp_path))
    assert (data.tasks, data.entities, data.features) == (("p", "q"), ("a", "b"), ("x",))
    assert data.dt == 0.5
    assert data.edges is None


def test_names_stand_in_natural_order(tmp_path):
    rows = [f"{task},{frame},{entity},0" for task in (10, 9, -1) for frame in (0, 1) for entity in ("b", "NA", "1")]
    data = load(table(tmp_path, rows))
    assert data.tasks == ("-1", "9", "10")
    assert data.entities == ("1", "NA", "b")
    rows = [f"{task},{frame},{entity},0" for task in "pq" for frame in (0, 1) for entity in ("P 12", "P 7", "A:12")]
    assert load(table(tmp_path, rows)).entities == ("A:12", "P 7", "P 12")


@pytest.mark.parametrize("word", ["task", "run", "case", "simulation"])
def test_words_for_the_task_column(tmp_path, word):
    assert load(table(tmp_path, header=f"{word},time,entity,x")).tasks == ("p", "q")


def test_one_recording_needs_no_task_column(tmp_path):
    data = load(table(tmp_path, ["0,1,a", "0,2,b", "1,3,a", "1,4,b"], "time,speed,entity"))
    assert data.tasks == ("0",)
    assert data.features == ("speed",)
    assert data.x[0, :, :, 0].tolist() == [[1, 2], [3, 4]]


def test_spaces_empty_lines_quotes_and_a_byte_order_mark(tmp_path):
    rows = [row.replace(",", ", ").replace("a", '"a,1"') for row in ROWS]
    path = table(tmp_path, [*rows[:3], "", *rows[3:], "", ""], "task, time, entity, x")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    data = load(path)
    assert data.entities == ("a,1", "b")
    assert data.x.ravel().tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_rounded_times_are_even_enough(tmp_path):
    times = np.round(np.arange(40) / 30, 3)
    rows = [f"{t},{entity},0" for t in times for entity in "ab"]
    assert load(table(tmp_path, rows, "time,entity,x")).dt == pytest.approx(1 / 30, rel=1e-3)


@pytest.mark.parametrize(
    ("line", "row", "message"),
    [
        (3, "p,0,b,two", ": x holds 'two', which is no finite number; leave the cell blank if nothing was recorded"),
        (3, "p,0,b,inf", ": x holds 'inf', which"),
        (3, "p,nan,b,1", ": time is blank; fill the gap"),
        (4, "p,noon,a,3", ": time holds 'noon', which"),
        (4, "p,,a,3", ": time is blank"),
        (5, "p,0.5,,4", ": entity is blank; write a name"),
        (5, ",0.5,b,4", ": task is blank; write a name"),
        (6, "q,7,a,5,0", ": has more cells than the header's 4"),
        (2, "p,0,a,1,0", ": has more cells than the header's 4"),
        (7, "q,7,a,6", ": task q, time 7, entity a is in line 6 already; remove one"),
    ],
)
def test_bad_cells_are_refused_by_line(tmp_path, line, row, message):
    rows = list(ROWS)
    rows[line - 2] = row
    assert refused(table(tmp_path, rows)).startswith(f", line {line}{message}")


@pytest.mark.parametrize(
    ("rows", "hidden"),
    [
        ([*ROWS[:5], *ROWS[6:]], [(1, 0, 1)]),
        ([*ROWS[:5], "q,7,b,", *ROWS[6:]], [(1, 0, 1)]),
        ([*ROWS[:5], "q,7,b", *ROWS[6:]], [(1, 0, 1)]),
        ([*ROWS[:4], "q,7,a,5", "q,7.5,a,6"], [(1, 0, 1), (1, 1, 1)]),
        ([*ROWS, "q,8,a,0", "q,8,b,0"], [(0, 2, 0), (0, 2, 1)]),
        ([*ROWS, "q,8.5,a,0", "q,8.5,b,0"], [(0, 2, 0), (0, 2, 1), (0, 3, 0), (0, 3, 1), (1, 2, 0), (1, 2, 1)]),
    ],
)
def test_what_has_no_row_or_a_blank_was_not_observed(tmp_path, rows, hidden):
    data = load(table(tmp_path, rows))
    assert data.dt == 0.5
    assert list(map(tuple, np.argwhere(~data.mask).tolist())) == hidden
    assert np.isfinite(data.x[data.mask]).all()


def test_gaps_survive_a_round_trip(tmp_path):
    mask = np.ones((2, 4, 3), dtype=bool)
    mask[0, 1, 2] = mask[1, 3] = mask[1, :, 0] = False
    data = recordings(mask=mask)
    for name in ("long.csv", "wide.csv"):
        save(data, tmp_path / name, format="wide" if name == "wide.csv" else None)
        back = load(tmp_path / name)
        np.testing.assert_array_equal(back.mask, mask)
        np.testing.assert_array_equal(back.x[mask], data.x[mask])
        np.testing.assert_array_equal(back.edges, data.edges)


def test_line_numbers_count_empty_lines_and_survive_sorting(tmp_path):
    rows = ["", *reversed(ROWS), "p,0,b,2"]
    assert refused(table(tmp_path, rows)).startswith(", line 11: task p, time 0, entity b is in line 9 already")
    assert refused(table(tmp_path, [*rows[:4], "p,9,b,?", *rows[4:]])).startswith(", line 6: x holds '?'")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [f"p,{t},{entity},0" for t in (0, 1, 2, 3.5, 4.5) for entity in "ab"],
            ": in task p time goes from 2 to 3.5, a step of 1.5 where 1 is usual; resample to even steps",
        ),
        (
            [f"p,{t},{entity},0" for t in (0, 1, 2, 2.2, 3) for entity in "ab"],
            ": in task p time goes from 2 to 2.2, a step of 0.2 where 0.8 is usual; resample to even steps",
        ),
        (
            [f"p,{t},{entity},0" for t in (0, 1, 2.5, 1e300, 1.5e300) for entity in "ab"],
            ": in task p time goes from 2.5 to 1e+300, a step of 1e+300 where 1.5 is usual; correct the time, or put",
        ),
        (
            [f"p,{t},{entity},0" for t in (-1.7e308, 0, 1, 1.7e308) for entity in "ab"],
            ": in task p time goes from 0 to 1, a step of 1 where 1.7e+308 is usual; resample",
        ),
        (
            [f"p,{t},{entity},0" for t in (0, 1, 2, 1e6) for entity in "ab"],
            ": 8 rows in 1 task of up to 1,000,001 frames and 2 entities in all, so that hardly any of 2,000,002 cells",
        ),
        (
            [*ROWS[:4], "q,7,a,5", "q,7,b,6", "q,8,a,7", "q,8,b,8"],
            ": task p has time steps of 0.5, task q of 1; resample to one step with --resample 0.5",
        ),
        (["p,0,a,1", "p,0,b,2"], ": 1 frame in shape (1, 1, 2, 1); a change needs at least two frames"),
        (["p,0,a,1", "p,1,a,2"], ": 1 entity in shape (1, 2, 1, 1); an interaction needs"),
        ([], ": has a header but no rows; give at least one recording"),
    ],
)
def test_rows_that_make_no_grid(tmp_path, rows, message):
    assert refused(table(tmp_path, rows)).startswith(message)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("task,t,entity,x", "the columns are task, t, entity, x; needed are time, entity, one or more features"),
        (
            "trial,when,who,x",
            "the columns are trial, when, who, x; needed are time, entity, one or more features, and ",
        ),
        ("task|time|entity|x", "the columns are task|time|entity|x; needed"),
        ("task,time,entity", "the columns are task, time, entity; needed"),
        ("task,run,time,entity,x", "task and run both name tasks; keep one of these columns"),
        ("task,time,entity,x,x", "the name 'x' stands twice, as if each entity had columns of its own or"),
        ("task,,time,entity,x", "column 2 has no name; name it, or leave it out"),
    ],
)
def test_headers_without_what_is_needed(tmp_path, header, message):
    assert refused(table(tmp_path, header=header)).startswith(f", line 1: {message}")


def test_files_that_are_no_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"")
    assert refused(path) == ", line 1: is empty; write the column names there"
    path.write_text("x" * 200_000)
    assert refused(path).startswith(": cannot be read (field larger than field limit")
    np.savez(path.open("wb"), x=np.zeros(3))
    assert refused(path) == ": is no text in UTF-8; save it as CSV (UTF-8)"
    path.write_bytes(table(tmp_path).read_bytes().replace(b"q,7,a", b"q,7,\xe4"))
    assert refused(path) == ": is no text in UTF-8; save it as CSV (UTF-8)"


def test_edges_beside_the_table_run_from_source_to_target(tmp_path):
    edge_table(tmp_path, "p,a,b,1", "q,b,a,2")
    data = load(table(tmp_path))
    assert data.edges is not None
    assert data.edges.tolist() == [[[0, 1], [0, 0]], [[0, 0], [2, 0]]]


def test_edges_of_one_recording_need_no_task_and_other_columns_are_skipped(tmp_path):
    edge_table(tmp_path, "0.9,b,a,1,?", header="probability,source,target,type,note")
    data = load(table(tmp_path, ROWS[:4]))
    assert data.edges is not None
    assert data.edges.tolist() == [[[0, 0], [1, 0]]]


def test_edges_without_tasks_are_those_of_all_tasks(tmp_path):
    edge_table(tmp_path, "b,a,2", header="source,target,type")
    data = load(table(tmp_path))
    assert data.edges is not None
    assert data.edges.tolist() == [[[0, 0], [2, 0]]] * 2
    again = refused_edges(tmp_path, "b,a,2", "b,a,1", header="source,target,type")
    assert again.startswith(", line 3: this task, source and target are in a line above already; keep one line")


def test_edges_given_by_hand_take_the_place_of_those_beside(tmp_path):
    edge_table(tmp_path, "this is,broken")
    other = edge_table(tmp_path, "p,a,b,1").rename(tmp_path / "other.csv")
    edge_table(tmp_path, "this is,broken")
    data = load(table(tmp_path), edges=other)
    assert data.edges is not None
    assert data.edges.sum() == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["p,a,b,1", "r,a,b,1"], ", line 3: task 'r' is no task of "),
        (["p,c,b,1"], ", line 2: source 'c' is no entity of "),
        (["p,a,c,1"], ", line 2: target 'c' is no entity of "),
        (["p,a,b,1", "", "p,a,a,1"], ", line 4: source and target are the same entity; remove this line"),
        (["p,a,b,1", "p,a,b,0"], ", line 3: this task, source and target are in a line above already; keep one line"),
        (["p,a,b,0.5"], ", line 2: the type is not 0, 1, ...; number the types from 0"),
        (["p,a,b,-1"], ", line 2: the type is not 0, 1, ..."),
        (["p,a,b,strong"], ", line 2: type holds 'strong', which is no finite number"),
        (["p,a,,1"], ", line 2: target is blank"),
    ],
)
def test_bad_edges_are_refused_by_line(tmp_path, rows, message):
    assert refused_edges(tmp_path, *rows).startswith(message)


def test_edges_without_a_needed_column(tmp_path):
    line = refused_edges(tmp_path, "p,a,b", header="task,from,to")
    assert line.startswith(", line 1: no column source and target and type among task, from, to")


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=3)


@few
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(2, 4), st.integers(1, 3)),
    names=st.lists(words.filter(lambda word: not word.lstrip("-").isdecimal()), min_size=4, max_size=4, unique=True),
    dt=st.floats(1e-6, 1e6),
    truth=st.booleans(),
)
def test_round_trip(tmp_path_factory, shape, names, dt, truth):
    m, _, n, d = shape
    features = ("x", "y", "speed, measured")[:d]
    names = sorted(names, key=natural)
    data = recordings(*shape, dt=dt, features=features, entities=names[:n], tasks=names[:m])
    path = tmp_path_factory.mktemp("table") / "a.csv"
    save(data if truth else data.without_edges(), path)
    assert (path.with_name("a_edges.csv")).exists() == truth
    assert_equal(load(path), data if truth else data.without_edges())


def test_a_truth_without_any_edge_is_not_an_unknown_truth(tmp_path):
    save(recordings(edges=np.zeros((2, 3, 3), int)), tmp_path / "a.csv")
    data = load(tmp_path / "a.csv")
    assert data.edges is not None
    assert not data.edges.any()


def test_what_a_table_cannot_hold_is_not_written(tmp_path):
    x = recordings().x.copy()
    x[1, 2, 0, 3] = np.inf
    with pytest.raises(InputError, match="inf at task 1, frame 2, entity 0, feature vy"):
        save(recordings(x=x), tmp_path / "a.csv")
    with pytest.raises(InputError, match="the feature run would be read as that key column"):
        save(recordings(features=("x", "y", "run", "vy")), tmp_path / "a.csv")
    assert not list(tmp_path.iterdir())


def test_a_large_table_is_read_with_fewer_calls_than_it_has_rows(tmp_path):
    data = recordings(m=200, t=100, n=5)
    save(data, tmp_path / "a.csv")
    assert calls(lambda: assert_equal(load(tmp_path / "a.csv"), data)) < 100_000


@pytest.mark.skipif(not SHARED.exists(), reason="no shared data beside the repository")
def test_runs_of_different_length(tmp_path):
    path = SHARED / "reports/fixtures/runs.csv"
    data = load(path)
    assert data.summary() == "3 tasks, 50 frames, 4 entities, 2 features (x, y), truth unknown, 14.0% not observed"
    assert data.mask.all(2).sum(1).tolist() == [30, 49, 50]
    rows = pd.read_csv(path)
    rows[rows.run == 1].to_csv(tmp_path / "one.csv", index=False)
    assert load(tmp_path / "one.csv", velocities=True).summary() == (
        "1 task, 49 frames, 4 entities, 4 features (x, y, vx, vy), truth unknown"
    )
