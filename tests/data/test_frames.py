"""Tables of pandas are read by the rules of the CSV of the same layout."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save, to_frame

from .test_formats import assert_equal, recordings

DATA = recordings(entities=("a", "b", "c"), tasks=("p", "q"), features=("x", "y", "heat", "rate"))


def refused(frame: object, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        load(frame, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.filterwarnings("ignore:The .float_precision")  # before pandas 3.1 it had to be asked for
@pytest.mark.parametrize("format", ["csv", "wide"])
def test_a_table_is_what_its_file_is(tmp_path, format):
    save(DATA, tmp_path / "a.csv", format=format)
    frame, edges = (pd.read_csv(tmp_path / name, float_precision="round_trip") for name in ("a.csv", "a_edges.csv"))
    before = frame.copy(), edges.copy()
    data = load(frame, edges=edges)
    assert_equal(data, load(tmp_path / "a.csv"))
    assert_equal(data, DATA)
    assert data.source == "DataFrame"
    pd.testing.assert_frame_equal(frame, before[0])
    pd.testing.assert_frame_equal(edges, before[1])
    assert np.array_equal(load(frame, edges=tmp_path / "a_edges.csv").edges, DATA.edges)


def test_a_table_and_back():
    frame = to_frame(DATA)
    assert list(frame.columns) == ["task", "time", "entity", "x", "y", "heat", "rate"]
    assert frame.iloc[4].tolist()[:3] == ["p", 0.1, "b"]
    assert_equal(load(frame), DATA.without_edges())


def test_unobserved_cells_have_no_row():
    mask = np.ones(DATA.shape[:3], dtype=bool)
    mask[0, 1, 2] = False
    frame = to_frame(recordings(mask=mask))
    assert len(frame) == 23
    assert frame.index.tolist() == list(range(23))
    assert not ((frame.task == "0") & (frame.time == 0.1) & (frame.entity == "2")).any()


def test_names_may_be_numbers_and_stand_in_the_index():
    frame = to_frame(recordings()).astype({"task": int, "entity": int})
    shuffled = frame.sample(frac=1, random_state=0)
    for one in (frame, shuffled, shuffled.set_index(["task", "time", "entity"]), frame.rename(columns={"task": "run"})):
        assert_equal(load(one), recordings().without_edges())
    wide = frame[frame.task == 0].pivot(index="time", columns="entity", values="x")
    wide.columns = [f"x_{entity}" for entity in wide.columns]
    assert np.array_equal(load(wide).x[0, ..., 0], recordings().x[0, ..., 0])


def test_refusals_count_rows_from_zero():
    frame = to_frame(DATA)
    frame.index = range(100, 124)  # labels of a table that was cut out of another
    holes = frame.copy()
    holes.loc[105, "heat"] = np.nan
    assert np.argwhere(~load(holes).mask).tolist() == [[0, 1, 2]]
    holes = frame.astype({"entity": object})
    holes.loc[103, "entity"] = None
    assert refused(holes) == "DataFrame, line 3: entity is blank; write a name"
    assert np.argwhere(~load(frame.drop(index=104)).mask).tolist() == [[0, 1, 1]]
    assert refused(frame.rename(columns={"time": "t"})).startswith("DataFrame, line 1: the columns are task, t, entity")
    assert refused(frame.rename(columns={"y": "x"})).startswith("DataFrame, line 1: the name 'x' stands twice")
    assert refused(frame.iloc[:0]) == "DataFrame: has a header but no rows; give at least one recording"


def test_what_is_no_table():
    frame = to_frame(DATA)
    assert refused(frame, part="test") == "DataFrame: has no parts, so no part 'test'; leave the part out"
    assert refused(frame, edges_order="source").startswith("DataFrame: an order of edges is given but no vector")
    assert refused(DATA.x).startswith("ndarray: neither a path nor a pandas table; arrays become recordings with")
    assert refused(frame, edges=DATA.edges).startswith("ndarray: neither a path nor a pandas table")
    edges = pd.DataFrame({"task": ["p"], "source": ["a"], "target": ["z"], "type": [1]})
    assert refused(frame, edges=edges).startswith("DataFrame, line 0: target 'z' is no entity of DataFrame (a, b, c)")
    both = pd.concat({"x": frame[["x"]], "y": frame[["y"]]}, axis=1)
    assert "entity x has no column for the feature y of the others" in refused(both)
    deep = pd.concat({"m": both}, axis=1)
    assert refused(deep) == "DataFrame: columns have 3 levels; join them to names such as a:x"
