"""The second round of reports: a test for each case that speaks of files, named after it.

Cases S29, S30 and S12 have their measurements of accuracy in `tests/data/test_repairs.py`, S11 in
`tests/results/test_agreement.py`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.inspection import inspect
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.estimator import RelationalInference

from ..data.programs import FILES

SECOND = Path(__file__).resolve().parents[2].parent / "shared/reports/second"
QUICK = ["--epochs", "2", "--threads", "1", "--edge_hidden", "[4]", "--node_hidden", "[4]"]
QUICK += ["--variants", "none", "--quiet"]
needs_files = pytest.mark.skipif(not SECOND.exists(), reason="no shared data beside the repository")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def layout(name: str) -> Trajectories:
    return load(SECOND / "layouts" / f"{name}.csv")


def origin(data: Trajectories) -> str:
    return "\n".join(f"{name}: {value}" for name, value in data.origin)


@needs_files
@pytest.mark.parametrize(
    "name", ["deeplabcut", "sleap", "trackpy", "idtracker", "movebank", "semicolon", "tabs", "one_signal"]
)
def test_layouts_are_inspected_trained_on_and_inferred_with_no_option(command, here, name):
    path = str(SECOND / "layouts" / f"{name}.csv")
    found = command("inspect", path)
    assert (found.status, found.err) == (0, "")
    assert re.search("^(columns|read as) ", found.out, re.MULTILINE)
    assert command("train", "--data", path, "--out", "run", *QUICK).status == 0
    assert command("infer", "run", path, "--out", "result", "--quiet").status == 0
    assert (here / "result" / "edges.csv").exists()


@pytest.mark.parametrize("kind", FILES)
def test_files_of_programs_are_trained_on_and_inferred_with_no_option(command, here, kind):
    name, content = FILES[kind]
    (here / name).write_text(content)
    assert command("train", "--data", name, "--out", "run", *QUICK).status == 0
    assert command("infer", "run", name, "--out", "result", "--quiet").status == 0


@needs_files
def test_s20_deeplabcut_has_body_parts_as_entities_and_no_likelihood_as_a_state():
    data = layout("deeplabcut")
    assert (data.entities, data.features) == (("nose", "tail"), ("x", "y"))
    assert "likelihood: below 0.6 a body part is missing" in origin(data)


@needs_files
def test_s21_sleap_has_a_track_for_each_animal():
    data = layout("sleap")
    assert (data.entities, data.features, data.shape) == (("track_0", "track_1"), ("x", "y"), (1, 15, 2, 2))


@needs_files
def test_s22_trackpy_leaves_measurements_of_spots_out_and_names_them():
    data = layout("trackpy")
    assert (data.entities, data.features) == (("0", "1"), ("x", "y"))
    assert all(word in origin(data) for word in ("mass", "size", "ecc", "ep"))


@needs_files
def test_s23_idtracker_has_numbers_behind_the_letters():
    data = layout("idtracker")
    assert (data.entities, data.features) == (("1", "2"), ("x", "y"))


@needs_files
def test_s24_movebank_has_dates_in_seconds():
    data = layout("movebank")
    assert (data.entities, data.features, data.dt) == (("tag0", "tag1"), ("x", "y"), 3600.0)


@needs_files
@pytest.mark.parametrize("name", ["semicolon", "tabs"])
def test_s25_semicolons_and_tabs_give_the_same(name):
    data = layout(name)
    assert (data.entities, data.features, data.dt) == (("a", "b"), ("x", "y"), 0.1)
    assert data.x[0, 1, 0].tolist() == [0.5, 1.25]


@needs_files
def test_s26_one_signal_each_is_one_entity_each():
    data = layout("one_signal")
    assert (data.entities, data.features) == (("G1", "G2", "G3"), ("value",))


@needs_files
def test_s27_dates_are_seconds_in_every_form(here):
    start = pd.Timestamp("2024-01-01")
    text = load(SECOND / "pandas-datetime" / "iso.csv")
    steps = {text.dt}
    for unit in ("ns", "us", "ms", "s"):
        times = pd.date_range(start, periods=20, freq="s").astype(f"datetime64[{unit}]")
        rows = [(t, e, float(i), 1.0) for i, t in enumerate(times) for e in "ab"]
        steps.add(load(pd.DataFrame(rows, columns=["time", "entity", "x", "y"])).dt)
    frames = pd.DataFrame(
        [(i, e, float(i), 1.0) for i in range(20) for e in "ab"], columns=["frame", "entity", "x", "y"]
    )
    steps.add(load(frames, fps=1).dt)
    frames.to_csv("a.csv", index=False)
    steps.add(load("a.csv", fps=1).dt)
    np.save("a.npy", np.random.default_rng(0).normal(size=(1, 20, 2, 2)))
    steps.add(load("a.npy", fps=1).dt)
    assert steps == {1.0}
    # Also where the step is no round number.
    at_30 = {load("a.csv", fps=30).dt, load("a.npy", fps=30).dt, load(frames, fps=30).dt}
    assert len(at_30) == 1
    assert at_30.pop() == pytest.approx(1 / 30)


def test_s28_pedestrians_as_text_are_read(here):
    rows = [f"{10 * t} {person} {0.4 * t + person:.2f} {0.1 * person:.1f}" for t in range(20) for person in (3, 5, 8)]
    (here / "eth.txt").write_text("\n".join(rows) + "\n")
    assert load("eth.txt").entities == ("3", "5", "8")
    (here / "other.txt").write_text("1 2 3\n4 5 6\n")
    with pytest.raises(InputError, match="--columns") as error:
        load("other.txt")
    assert "\n" not in str(error.value)


@needs_files
def test_s29_lost_is_zero():
    path = SECOND / "lost-frames-as-zero" / "zeros.csv"
    (warning,) = inspect(load(path)).warnings
    assert re.search(r"task \d+, frame \d+, entity m\d", warning)
    assert warning.endswith("add --missing 0,0")
    assert inspect(load(path, missing="0,0")).warnings == ()


@needs_files
def test_s30_a_box_with_periodic_walls():
    path = SECOND / "periodic-box" / "wrapped.csv"
    warnings = inspect(load(path)).warnings
    assert all(re.search(r"first at task \d+, frame \d+, entity m\d", line) for line in warnings)
    assert all(line.endswith("--periodic '[x:3,y:3]'") for line in warnings)
    assert inspect(load(path, periodic=["x:3", "y:3"])).warnings == ()


@needs_files
def test_s31_unnamed_features_are_never_guessed_silently(here):
    four = load(SECOND / "four-unnamed-features" / "bands.npz")
    assert any("the file does not name its features" in line for line in inspect(four).warnings)
    np.save("three.npy", np.random.default_rng(0).normal(size=(3, 20, 3, 3)))
    assert "the file has no names" in origin(load("three.npy"))
    named = load(SECOND / "four-unnamed-features" / "bands.npz", columns="features=[alpha,beta,gamma,delta]")
    assert named.features == ("alpha", "beta", "gamma", "delta")
    assert not any("does not name" in line for line in inspect(named).warnings)


def test_s32_a_blank_cell_is_named_and_strict_refuses_it(here):
    rows = [(run, t, e, t + 1.0) for run, length in (("a", 30), ("b", 20)) for t in range(length) for e in "pq"]
    lines = [f"{run},{0.1 * t:.1f},{e},{'' if (run, t, e) == ('b', 7, 'q') else x}" for run, t, e, x in rows]
    (here / "a.csv").write_text("\n".join(["task,time,entity,x", *lines]))
    where = "task b, time 0.7 (frame 7), entity q"
    assert any(where in line for line in inspect(load("a.csv")).lines())
    with pytest.raises(InputError) as error:
        load("a.csv", strict=True)
    assert f"1 of 120 observations are missing, the first at {where}" in str(error.value)


def test_s33_a_folder_without_a_valid_part_is_told(command, here):
    data = simulate("springs", 6, entities=3, frames=12, seed=0)
    for part in ("train", "test"):
        save(data, here, part, format="kipf")
    assert (
        "none is called valid, so a run has no tasks of this folder to be validated on" in command("inspect", ".").out
    )


def test_s34_the_order_of_rows_changes_nothing(here):
    data = simulate("springs", 3, entities=3, frames=12, seed=0)
    named = Trajectories(
        data.x, dt=data.dt, features=data.features, entities=("A:12", "P 12", "P 7"), tasks=("r10", "r2", "r1")
    )
    save(named, "a.csv")
    first, *rows = (here / "a.csv").read_text().splitlines()
    shuffled = np.random.default_rng(0).permutation(rows).tolist()
    (here / "b.csv").write_text("\n".join([first, *shuffled]))
    one, two = load("a.csv"), load("b.csv")
    assert one.entities == two.entities == ("A:12", "P 7", "P 12")
    assert one.tasks == two.tasks == ("r1", "r2", "r10")
    np.testing.assert_array_equal(one.x, two.x)
    settings = {"epochs": 2, "threads": 1, "edge_hidden": (4,), "node_hidden": (4,), "variants": "none"}
    answers = [RelationalInference(**settings).fit(each).infer(each) for each in (one, two)]
    np.testing.assert_array_equal(answers[0].probability, answers[1].probability)
    tables = [answer.to_pandas() for answer in answers]
    pd.testing.assert_frame_equal(*tables)
    assert tables[0]["task"].drop_duplicates().tolist() == ["r1", "r2", "r10"]


@needs_files
def test_s11_scores_without_truth_are_tables(command, here):
    path = SECOND / "single-recording-nothing-there" / "independent.csv"
    found = json.loads(command("inspect", path, "--baselines", "--json").out)
    assert all(np.shape(score) == (1, 5, 5) for score in found["scores"].values())
    assert found["agreement"].keys() == found["scores"].keys()


def test_s12_other_units_are_told_with_numbers_and_an_option_and_are_not_sure(here):
    data = simulate("springs", 24, entities=3, frames=30, seed=0)
    model = RelationalInference(epochs=20, threads=1).fit(data)
    x = data.x * 100
    x[..., :2] += 1000
    other = model.infer(Trajectories(x, edges=data.edges, dt=data.dt, features=data.features))
    assert "--unit '[x:0.01,y:0.01,vx:0.01,vy:0.01]' --origin '[x:" in other.unlike[0]
    assert (other.probability.max(-1) > 0.99).mean() < 0.1


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Fish1_X,Fish1_Y,Fish2_X,Fish2_Y\n1,2,3,4\n2,3,4,5\n3,4,5,6\n", {}),
        ("frame,entity,x,y\n0,a,1,2\n0,b,2,3\n1,a,3,4\n1,b,2,2\n", {"fps": 30}),
        (",a,a,b,b\ntime,x,y,x,y\n0,1,2,3,4\n1,2,3,4,5\n2,3,4,5,6\n", {}),
    ],
)
def test_capital_axes_counted_frames_and_two_header_lines_are_read(here, text, options):
    (here / "a.csv").write_text(text)
    data = load("a.csv", **options)
    assert (data.features, data.shape[2]) == (("x", "y"), 2)
    assert data.dt == pytest.approx(1 / options.get("fps", 1))


@pytest.mark.parametrize("lines", [["0 1 2", "1 2 3", "2 4 5", "3 5 5"], ["0 1 2 3 9 9", "1 2 3 4 5 5", "2 4 5 5 4 4"]])
def test_numbers_without_names_are_read_with_an_option_that_the_refusal_names(here, lines):
    (here / "a.txt").write_text("\n".join(lines))
    with pytest.raises(InputError) as error:
        load("a.txt")
    option = re.search(r"for one signal in each column: --columns '(.*?)'", str(error.value)).group(1)
    assert load("a.txt", columns=option.replace(",...", "")).features == ("value",)


def test_a_doubled_header_is_never_called_a_column_too_many(here):
    (here / "a.csv").write_text("time,x,y,x,y\n0,1,2,3,4\n1,2,3,4,5\n2,3,4,5,6\n")
    with pytest.raises(InputError) as error:
        load("a.csv")
    assert "keep one of" not in str(error.value)
    assert "such as a:x, a:y, b:x, b:y" in str(error.value)
