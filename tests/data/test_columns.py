"""The option `columns`, delimiters, times, and the order of names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load
from bouncegrad.data.formats.order import natural
from bouncegrad.data.formats.roles import Columns, columns_of

from .test_formats import refused

ROWS = [f"{t},{name},{t * 0.5},{1 + t}" for t in range(4) for name in ("P 12", "P 7")]


def table(folder, header, rows=ROWS, name="a.csv"):
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("time=frame", Columns("frame")),
        ("time=t, entity=id, task=video", Columns("t", "id", "video")),
        ("features=[x]", Columns(features=(("x", "x"),))),
        ("entity=id,features=[x=POS X, y]", Columns(None, "id", None, (("x", "POS X"), ("y", "y")))),
        ('time="a,b",features=["c[1]"]', Columns("a,b", features=(("c[1]", "c[1]"),))),
    ],
)
def test_text_of_the_option(text, roles):
    assert columns_of(text) == roles
    assert columns_of(roles.text()) == roles


@pytest.mark.parametrize(
    "text",
    [
        *("", "time", "time=", "=t", "place=x", "time=t,time=u", "time=t,", "features=[x", "features=x]", "["),
        *("features=[x,,y]", "time=t features=[x]]", 'time="', "features=[a=b=c]", "time=t,entity=t", "features=[]"),
    ],
)
def test_text_that_cannot_be_read(text):
    with pytest.raises(InputError, match=r"^option columns: .*; write time=COLUMN,entity=COLUMN") as caught:
        columns_of(text)
    assert "\n" not in str(caught.value)


def test_columns_of_a_table_are_named(tmp_path):
    path = table(tmp_path, "t,who,px,py")
    line = refused(path)
    option = "--columns 'time=t,entity=who,features=[px,py]'"
    assert line.endswith(f"rename them, or name them with {option}")
    data = load(path, columns=option.removeprefix("--columns ").strip("'"))
    assert (data.entities, data.features, data.dt) == (("P 7", "P 12"), ("px", "py"), 1.0)
    renamed = load(path, columns={"time": "t", "entity": "who", "features": {"x": "px", "y": "py"}}, velocities=True)
    assert renamed.features == ("x", "y", "vx", "vy")
    assert refused(path, columns="time=nothing").startswith(", line 1: no column 'nothing' among t, who, px, py")
    assert load(pd.read_csv(path), columns="time=t,entity=who").shape == (1, 4, 2, 2)


def test_columns_name_the_features_of_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((1, 5, 2, 4)))
    data = load(tmp_path / "a.npy")
    assert data.assumed[0].startswith("the file does not name its features, so they were taken for x, y, vx, vy;")
    named = load(tmp_path / "a.npy", columns="features=[alpha,beta,gamma,delta]")
    assert (named.features, named.assumed) == (("alpha", "beta", "gamma", "delta"), ())
    assert ": 2 features are named (a, b), but it has 4" in refused(tmp_path / "a.npy", columns="features=[a,b]")
    assert ": is no table, so it has no such columns" in refused(tmp_path / "a.npy", columns="time=t")
    np.savez(tmp_path / "a.npz", x=np.zeros((1, 5, 2, 3)), features=["x", "y", "mass"])
    assert load(tmp_path / "a.npz", columns="features=[y,height=x]").features == ("y", "height")


@pytest.mark.parametrize("delimiter", [";", "\t", " ", "   "])
@pytest.mark.parametrize("comma", [False, True])
@pytest.mark.parametrize("suffix", ["csv", "tsv", "txt"])
def test_delimiters_and_decimal_commas(tmp_path, delimiter, comma, suffix):
    lines = [["time", "entity", "x", "y"]]
    lines += [[f"{t / 10}", name, f"{t + 0.25}", "1.5e-1"] for t in range(3) for name in "ab"]
    text = "\n".join(delimiter.join(cell.replace(".", "," if comma else ".") for cell in line) for line in lines)
    path = tmp_path / f"a.{suffix}"
    path.write_text(text)
    data = load(path)
    assert data.x[0, :, 0].tolist() == [[0.25, 0.15], [1.25, 0.15], [2.25, 0.15]]
    assert data.dt == 0.1


def test_one_signal_each(tmp_path):
    data = load(table(tmp_path, "time,G1,G2,G3", ["0,1,2,3", "2,4,5,6"]))
    assert (data.entities, data.features, data.dt) == (("G1", "G2", "G3"), ("value",), 2.0)
    assert "rename them, or name them with" in refused(table(tmp_path, "time,x,y", ["0,1,2", "2,4,5"]))
    two = table(tmp_path, "time,gene_a,gene_b", ["0,1,2", "2,4,5"])
    assert "if each column is one signal, name them with --columns" in refused(two)
    assert load(two, columns="features=[gene_a,gene_b]").entities == ("gene_a", "gene_b")


@pytest.mark.parametrize(
    ("times", "dt", "said"),
    [
        (["2024-01-01 00:00:00", "2024-01-01 00:00:01", "2024-01-01 00:00:02"], 1.0, "dates, in seconds since 2024"),
        (["2024-01-01", "2024-01-02", "2024-01-03"], 86400.0, "dates"),
        (["2024/02/28", "2024/02/29", "2024/03/01"], 86400.0, "dates"),
        (["2024-01-01T00:00:00.25Z", "2024-01-01T00:00:00.5Z", "2024-01-01T00:00:00.75Z"], 0.25, "dates"),
        (["2024-03-31T00:30:00+01:00", "2024-03-31T01:30:00+01:00", "2024-03-31T03:30:00+02:00"], 3600.0, "dates"),
        (["9:00", "9:30", "10:00"], 1800.0, "clock times"),
        (["00:00:01.5", "00:00:02.0", "00:00:02.5"], 0.5, "clock times"),
    ],
)
def test_dates_and_clock_times_are_seconds(tmp_path, times, dt, said):
    path = table(tmp_path, "time,entity,x", [f"{time},{name},{i}" for i, time in enumerate(times) for name in "ab"])
    data = load(path)
    assert data.dt == dt
    assert dict(data.origin)["times"].startswith(said)
    assert "option fps goes with frame numbers, but time holds" in refused(path, fps=30)
    path.write_text(path.read_text().replace(times[1], "soon", 1))
    assert refused(path).startswith(", line 4: time holds 'soon', which is not a date or time like the others")


@pytest.mark.parametrize("unit", ["ns", "us", "ms", "s"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Madrid"])
def test_times_of_pandas_are_seconds_in_every_unit_and_zone(unit, zone):
    times = pd.date_range("2024-03-31", periods=20, freq="s", tz=zone).as_unit(unit)
    rows = [(t, e, float(i)) for i, t in enumerate(times) for e in "ab"]
    frame = pd.DataFrame(rows, columns=["time", "entity", "x"])
    assert load(frame).dt == 1.0
    assert load(frame.assign(time=frame.time - frame.time.min())).dt == 1.0
    assert load(frame.set_index("time")).dt == 1.0


def test_rows_in_any_order_give_the_same_to_the_bit(tmp_path):
    rows = [f"{task},{row}" for task in ("day 10", "day 9") for row in ROWS]
    first = load(table(tmp_path, "run,time,entity,x,y", rows))
    assert (first.tasks, first.entities) == (("day 9", "day 10"), ("P 7", "P 12"))
    for seed in range(3):
        shuffled = list(np.random.default_rng(seed).permutation(rows))
        again = load(table(tmp_path, "run,time,entity,x,y", shuffled))
        assert again.x.tobytes() == first.x.tobytes()
        assert (again.tasks, again.entities) == (first.tasks, first.entities)


def test_natural_order():
    names = ["b", "a10", "a9", "A", "a09", "a", "9" * 5000]
    assert sorted(names, key=natural) == ["9" * 5000, "A", "a", "a09", "a9", "a10", "b"]


def test_the_first_missing_cell_is_named(tmp_path):
    rows = [f"{run},{t / 10},{name},{t}" for run, n in (("p", 5), ("q", 8)) for t in range(n) for name in "ab"]
    path = table(tmp_path, "run,time,entity,x", rows)
    assert load(path, strict=True).shape == (2, 8, 2, 1)
    path.write_text(path.read_text().replace("q,0.3,b,3", "q,0.3,b,"))
    assert refused(path, strict=True).startswith(
        ": 1 of 32 observations are missing, the first at task q, time 0.3 (frame 3), entity b; fill the gap, or leave"
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fps": 0}, "option fps: 0 cannot be used; give the frames in a second"),
        ({"fps": 30, "time_step": 1}, "option fps: states the time step already"),
        ({"missing": "a"}, "option missing: 'a' cannot be used; give the numbers of a lost state: 0,0"),
        ({"missing": "0,0,0"}, "option missing has 3 numbers for 2 features"),
        ({"likelihood": 2}, "option likelihood: 2 cannot be used"),
        ({"keypoints": "both"}, "option keypoints: 'both' cannot be used; give entities or features"),
    ],
)
def test_options_that_cannot_be_used(tmp_path, options, says):
    with pytest.raises(InputError) as caught:
        load(table(tmp_path, "time,entity,x,y"), **options)
    assert says in str(caught.value)
