"""The wide table: which part of a column's name is the entity, and rows that are frames."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, recognise, save
from bouncegrad.data.formats.order import natural

from .test_formats import assert_equal, few, recordings, refused
from .test_formats_table import words

# Two entities, two features; the columns of each spelling stand in this order.
ROWS = ["0,1,2,3,4", "0.5,5,6,7,8", "1,9,10,11,12"]


def wide(folder: Path, header: str, rows: list[str] = ROWS, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("header", "entities", "features"),
    [
        ("time,a:speed,a:heat,b:speed,b:heat", ("a", "b"), ("speed", "heat")),
        ("time,a_x,a_y,b_x,b_y", ("a", "b"), ("x", "y")),
        ("time,left_knee_x,left_knee_vx,hip_x,hip_vx", ("left_knee", "hip"), ("x", "vx")),
        ("time,x_1,y_1,x_2,y_2", ("1", "2"), ("x", "y")),
        ("time,x_left_knee,y_left_knee,x_hip,y_hip", ("left_knee", "hip"), ("x", "y")),
        ("time,1_x,1_y,2_x,2_y", ("1", "2"), ("x", "y")),
        ("time,angle_rate_1,heat_1,angle_rate_2,heat_2", ("1", "2"), ("angle_rate", "heat")),
        ("time,1_angle_rate,1_heat,2_angle_rate,2_heat", ("1", "2"), ("angle_rate", "heat")),
    ],
)
def test_names_decide_which_part_is_the_entity(tmp_path, header, entities, features):
    data = load(wide(tmp_path, header))
    assert (data.entities, data.features) == (entities, features)
    assert data.x[0].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 10], [11, 12]]]
    assert data.dt == 0.5
    assert data.tasks == ("0",)
    assert data.edges is None


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("time,a_b,a_c,d_b,d_c", "names such as 'a_b' do not say which part is the entity; name all columns entity:"),
        (
            "time,x_y,x_vx,y_y,y_vx",
            "names such as 'x_y' do not say which part is the entity; name all columns entity:",
        ),
        ("time,1_2,1_3,2_2,2_3", "names such as '1_2' do not say which part is the entity; name all columns entity:"),
        ("time,a_x,a_y,b_x,heat", "column 'heat' does not say entity and feature like the others (a_x, a_y, b_x)"),
        ("time,a_x,a_y,b_x,b:y", "column 'b:y' does not say entity and feature like the others (a_x, a_y, b_x)"),
        ("time,a_x,a_y,b_x,_y", "column '_y' does not say entity and feature"),
        ("time,a:x,a:y,b:x,b:y:z", "column 'b:y:z' is not one entity, a colon and one feature; rename it"),
        ("time,a:x,a:y,b:x,b:", "column 'b:' is not one entity, a colon and one feature"),
        ("time,x_1,1_x,x_2,y_2", "names such as 'x_1' do not say which part is the entity; name all columns entity:"),
        ("time,a_x,a_y,b_x,c_y", "entity b has no column for the feature y of the others; add it, or leave that"),
        ("time,a_x,a_y,b_x,b_x", "the name 'b_x' stands twice, as if each entity had columns of its own or"),
    ],
)
def test_columns_that_can_be_read_in_two_ways_or_none(tmp_path, header, message):
    assert refused(wide(tmp_path, header)).startswith(f", line 1: {message}")


def test_whole_numbers_are_sorted_as_in_the_long_table(tmp_path):
    data = load(wide(tmp_path, "time,x_10,x_9", ["0,1,2", "1,3,4"]))
    assert data.entities == ("9", "10")
    assert data.x[0, :, :, 0].tolist() == [[2, 1], [4, 3]]


def test_rows_in_any_order_and_more_than_one_recording(tmp_path):
    rows = ["q,8,7,8", "p,0.5,3,4", "q,7.5,5,6", "p,0,1,2"]
    data = load(wide(tmp_path, "run,time,a_x,b_x", rows))
    assert data.tasks == ("p", "q")
    assert data.x[..., 0].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert data.dt == 0.5


def test_without_times_rows_are_frames(tmp_path):
    data = load(wide(tmp_path, "run,a_x,b_x", ["p,1,2", "q,5,6", "p,3,4", "q,7,8"]))
    assert data.x[..., 0].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert data.dt == 1.0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["0,1,2,3,4", "1,5,?,7,8"], ", line 3: a_y holds '?', which is no finite number"),
        (["0,1,2,3,4", "1,5,6,7,8,9"], ", line 3: has more cells than the header's 5"),
        (["0,1,2,3,4", "0,5,6,7,8"], ", line 3: task 0, time 0, entity a is in line 2 already; remove one"),
        ([f"{t},1,2,3,4" for t in (0, 1, 2.5, 3.5)], ": in task 0 time goes from 1 to 2.5, a step of 1.5 where"),
        (["0,1,2,3,4"], ": 1 frame in shape (1, 1, 2, 2); a change needs at least two frames"),
        ([], ": has a header but no rows"),
    ],
)
def test_bad_rows_are_refused_by_line(tmp_path, rows, message):
    assert refused(wide(tmp_path, "time,a_x,a_y,b_x,b_y", rows)).startswith(message)


def test_an_entity_with_a_blank_and_a_frame_left_out_were_not_observed(tmp_path):
    data = load(wide(tmp_path, "time,a_x,a_y,b_x,b_y", ["0,1,2,3,4", "1,5,6,,8", "3,1,2,3,4", "4,1,2,3,4"]))
    assert data.mask[0].tolist() == [[True, True], [True, False], [False, False], [True, True], [True, True]]


def test_edges_beside_a_wide_table(tmp_path):
    (tmp_path / "a_edges.csv").write_text("source,target,type\nb,a,1\n")
    data = load(wide(tmp_path, "time,a_x,a_y,b_x,b_y"))
    assert data.edges is not None
    assert data.edges[0].tolist() == [[0, 0], [1, 0]]


def test_a_column_of_entities_makes_a_long_table(tmp_path):
    assert recognise(wide(tmp_path, "time,entity,p_x,p_y", [])).name == "csv"
    assert recognise(wide(tmp_path, "time,p_x,p_y", [])).name == "wide"


@few
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(2, 4), st.integers(1, 3)),
    names=st.lists(
        words.filter(lambda word: not word.lstrip("-").isdecimal() and ":" not in word),
        min_size=4,
        max_size=4,
        unique=True,
    ),
    dt=st.floats(1e-6, 1e6),
    truth=st.booleans(),
)
def test_round_trip(tmp_path_factory, shape, names, dt, truth):
    m, _, n, d = shape
    features = ("x", "y", "speed, measured")[:d]
    data = recordings(*shape, dt=dt, features=features, entities=names[:n], tasks=sorted(names, key=natural)[:m])
    path = tmp_path_factory.mktemp("wide") / "a.csv"
    save(data if truth else data.without_edges(), path, format="wide")
    assert recognise(path).name == "wide"
    assert_equal(load(path), data if truth else data.without_edges())


def test_what_a_wide_table_cannot_hold_is_not_written(tmp_path):
    with pytest.raises(InputError, match="the name 'a:b' has a colon, which separates entity and feature; rename it"):
        save(recordings(entities=("a:b", "c", "d")), tmp_path / "a.csv", format="wide")
    with pytest.raises(InputError, match=r"the files of format wide are called \*\.csv; name it so"):
        save(recordings(), tmp_path / "a.txt", format="wide")
    assert not list(tmp_path.iterdir())
