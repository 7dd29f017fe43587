"""Objects of other packages: tables with several header lines, arrays of `movement`, labels of SLEAP, football."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.trajectories import Trajectories

X = np.random.default_rng(0).normal(size=(1, 12, 3, 2)).round(3)
DATA = Trajectories(X, dt=0.5, features=("x", "y"), entities=("a", "b", "c"))
TWO_LEVELS = pd.MultiIndex.from_product([DATA.entities, DATA.features])
FRAME = pd.DataFrame(X.reshape(12, 6), columns=TWO_LEVELS, index=pd.Index(0.5 * np.arange(12), name="time"))


def refused(given: object, **options: object) -> str:
    """Returns the message with which an object or file is refused."""
    with pytest.raises(InputError) as found:
        load(given, **options)
    return str(found.value)


def same(found: Trajectories) -> None:
    np.testing.assert_array_equal(found.x, DATA.x)
    assert (found.dt, found.features, found.entities) == (DATA.dt, DATA.features, DATA.entities)


def test_two_levels_of_columns_are_entity_and_feature(tmp_path):
    same(load(FRAME))
    same(load(FRAME.swaplevel(axis=1)))  # the feature above
    same(load(FRAME.reset_index()))
    path = tmp_path / "two.csv"
    FRAME.to_csv(path)  # pandas writes a third line with the name of the index
    assert path.read_text().splitlines()[2].startswith("time,,")
    same(load(path))
    path.write_text(",a,,b,,c,\ntime,x,y,x,y,x,y\n" + "".join(FRAME.to_csv(header=False).splitlines(keepends=True)))
    same(load(path))


def test_a_name_that_stands_twice_is_refused_as_before(tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("time,a,a\n0,1,2\n1,2,3\n")
    assert "the name 'a' stands twice" in refused(path)


@pytest.mark.parametrize("animals", [("one",), ("one", "two")])
def test_a_table_of_deeplabcut_in_memory(animals, tmp_path):
    parts, rng = ("nose", "tail", "ear"), np.random.default_rng(1)
    levels = [["model"], list(animals), list(parts), ["x", "y", "likelihood"]]
    names = ["scorer", "individuals", "bodyparts", "coords"]
    if len(animals) == 1:
        levels, names = [levels[0], *levels[2:]], [names[0], *names[2:]]
    columns = pd.MultiIndex.from_product(levels, names=names)
    frame = pd.DataFrame(rng.uniform(0.7, 1, size=(9, len(columns))).round(3), columns=columns)
    frame.iloc[3, 2] = 0.1
    found = load(frame, fps=30)
    assert found.entities == (parts if len(animals) == 1 else animals)
    assert found.dt == pytest.approx(1 / 30)
    assert not found.mask[0, 3, 0]
    frame.to_csv(tmp_path / "dlc.csv")
    written = load(tmp_path / "dlc.csv", fps=30)
    np.testing.assert_array_equal(written.x, found.x)
    assert (written.features, written.entities) == (found.features, found.entities)
    assert load(frame, keypoints="entities").features == ("x", "y")


class Array:
    """Stands for an array of xarray: dimensions with names, and coordinates along some of them."""

    def __init__(self, values: np.ndarray, dims: tuple[str, ...], coords: dict[str, object]) -> None:
        self.values, self.dims = values, dims
        self.coords = {name: SimpleNamespace(values=np.array(value)) for name, value in coords.items()}
        self.sizes = dict(zip(dims, values.shape, strict=True))

    def transpose(self, *dims: str) -> Array:
        return Array(self.values.transpose([self.dims.index(dim) for dim in dims]), dims, {})


class Dataset(dict):
    """Stands for a data set of xarray."""

    attrs: dict[str, object]

    @property
    def data_vars(self) -> list[str]:
        return list(self)


for kind in (Array, Dataset):
    kind.__module__ = "xarray.core.standing_in"


def movement(animals: int, parts: int, **attrs: object) -> Dataset:
    rng = np.random.default_rng(2)
    coords: dict[str, object] = {
        "time": np.arange(8) / 25,
        "space": ["x", "y"],
        "keypoints": ["nose", "tail", "ear"][:parts],
        "individuals": ["one", "two", "three"][:animals],
    }
    dims = ("time", "space", "keypoints", "individuals")
    place = Array(rng.normal(size=(8, 2, parts, animals)), dims, coords)
    sure = Array(
        np.where(np.arange(8) == 5, 0.1, 0.9)[:, None, None] * np.ones((8, parts, animals)), (dims[0], *dims[2:]), {}
    )
    data = Dataset(position=place, confidence=sure)
    data.attrs = attrs
    return data


def test_arrays_of_movement():
    data = movement(2, 3)
    found = load(data)
    assert (found.entities, found.dt) == (("one", "two"), pytest.approx(0.04))
    assert found.features == ("nose_x", "nose_y", "tail_x", "tail_y", "ear_x", "ear_y")
    np.testing.assert_array_equal(found.x[0, :, 1, 2:4], data["position"].values[:, :, 1, 1])
    assert load(data["position"], keypoints="entities").entities[:2] == ("one nose", "one tail")
    alone = load(movement(1, 3))
    assert (alone.entities, alone.features) == (("nose", "tail", "ear"), ("x", "y"))
    boxes = movement(3, 1)["position"]
    centres = load(Array(boxes.values[:, :, 0], ("time", "space", "individuals"), {"space": ["x", "y"]}))
    assert (centres.entities, centres.features, centres.dt) == (("0", "1", "2"), ("x", "y"), 1.0)
    assert load(movement(2, 3, source_software="SLEAP")).mask is None
    unsure = load(movement(2, 3, source_software="DeepLabCut"))
    assert np.flatnonzero(~unsure.mask.all((0, 2))).tolist() == [5]
    assert load(movement(2, 3, source_software="DeepLabCut"), likelihood=0.05).mask is None


def test_arrays_that_hold_no_places_are_refused():
    place = movement(2, 3)["position"]
    assert "its dimensions are time, x; needed are time, space" in refused(Array(np.zeros((3, 2)), ("time", "x"), {}))
    other = Dataset(speed=place)
    assert "no variable position among speed" in refused(other)
    polar = Array(place.values, place.dims, {"space": ["rho", "phi"]})
    assert "the coordinates of space are rho, phi; give places in x, y, z" in refused(polar)
    assert "option columns goes with a table" in refused(place, columns="features=[x]")
    assert "option fps goes with frame numbers" in refused(movement(2, 3), fps=30)


class Labels:
    """Stands for labels of sleap-io."""

    def __init__(self, *values: np.ndarray, tracks: list[str], files: tuple[str, ...] = ("a.mp4",)) -> None:
        self.values = values
        self.tracks = [SimpleNamespace(name=name) for name in tracks]
        self.videos = [SimpleNamespace(filename=file) for file in files]
        self.skeletons = [SimpleNamespace(node_names=["head", "back"])]

    def numpy(self, video: int, untracked: bool = False) -> np.ndarray:
        assert untracked == (not self.tracks)
        return self.values[video]


Labels.__module__ = "sleap_io.model.labels"


def test_labels_of_sleap():
    values = np.random.default_rng(3).normal(size=(10, 2, 2, 2))
    values[4, 1] = np.nan
    found = load(Labels(values, tracks=["left", "right"]), fps=20)
    assert (found.entities, found.dt) == (("left", "right"), 0.05)
    assert found.features == ("head_x", "head_y", "back_x", "back_y")
    assert not found.mask[0, 4, 1]
    assert load(Labels(values[:, :1], tracks=[])).entities == ("head", "back")
    assert "has several animals and no tracks" in refused(Labels(values, tracks=[]))
    none = Labels(values, tracks=["left", "right"], files=())
    assert "has 0 videos and 1 skeletons; one is needed" in refused(none)


def test_each_video_of_labels_of_sleap_is_a_task():
    values = np.full((2, 10, 4, 2, 2), np.nan)
    values[0, :, :2], values[1, :7, 2:] = np.random.default_rng(3).normal(size=(10, 2, 2, 2)), 1.0
    values[1, :7, 2:] += np.arange(7.0)[:, None, None, None]
    found = load(Labels(*values, tracks=["left", "right", "right", "left"], files=("v/b.mp4", "v/a.mp4")), fps=20)
    assert (found.tasks, found.entities, found.shape[1]) == (("b", "a"), ("left", "right"), 10)
    np.testing.assert_array_equal(found.x[0], values[0, :, :2].reshape(10, 2, 4))
    np.testing.assert_array_equal(found.x[1, :7, 1], values[1, :7, 2].reshape(7, 4))
    assert (found.mask.sum((1, 2)) == [20, 14]).all()
    assert dict(found.origin)["read as"]
    assert load(Labels(*values, tracks=["a", "b", "a", "b"], files=("a.mp4", "a.avi"))).tasks == ("0", "1")


class Match:
    """Stands for tracking data of kloppy."""

    def __init__(self, frames: int = 6) -> None:
        grounds = ("home", "away")
        teams = [SimpleNamespace(ground=ground, players=[]) for ground in grounds]
        for team in teams:
            team.players = [SimpleNamespace(player_id=f"{team.ground}{i}", jersey_no=i, team=team) for i in (7, 9)]
        self.metadata = SimpleNamespace(teams=teams)
        rng, self.records = np.random.default_rng(4), []
        for period in (1, 2):
            for number in range(frames):
                places = {
                    Key(player): SimpleNamespace(coordinates=SimpleNamespace(x=rng.normal(), y=rng.normal()))
                    for team in teams
                    for player in team.players
                    if player.player_id != "away9"
                }
                self.records.append(
                    SimpleNamespace(
                        frame_id=100 * period + number,
                        timestamp=timedelta(seconds=number / 25),
                        period=SimpleNamespace(id=period),
                        players_data=places,
                        ball_coordinates=SimpleNamespace(x=0.1 * number, y=0.0, z=1.0) if number != 3 else None,
                    )
                )


class Key(SimpleNamespace):
    """A player that can be a key."""

    def __init__(self, player: SimpleNamespace) -> None:
        super().__init__(**vars(player))

    def __hash__(self) -> int:
        return hash(self.player_id)


Match.__module__ = "kloppy.domain.models.tracking"


def test_tracking_data_of_football():
    found = load(Match())
    assert (found.entities, found.tasks) == (("home 7", "home 9", "away 7", "ball"), ("1", "2"))
    assert (found.shape, found.dt) == ((2, 6, 4, 2), pytest.approx(0.04))
    assert np.argwhere(~found.mask).tolist() == [[0, 3, 3], [1, 3, 3]]
    assert ("left out", "away 9: never on the pitch") in found.origin
    assert load(Match(), fps=10).dt == pytest.approx(0.1)
    events = Match()
    events.records = [SimpleNamespace(event_id="pass")]
    assert "has no frames with places of players" in refused(events)


def test_tables_of_polars():
    pl = pytest.importorskip("polars")
    long = pd.DataFrame({"time": [0, 0, 1, 1], "entity": ["a", "b"] * 2, "x": [0.0, 1.0, 0.5, None]})
    found = load(pl.DataFrame(long.to_dict("list")))
    assert (found.entities, found.mask[0].tolist()) == (("a", "b"), [[True, True], [True, False]])


class Polar:
    """Stands for a table of polars: `collect` makes a lazy one real."""

    columns = ("time", "a", "b")

    def collect(self) -> Polar:
        return self

    def __getitem__(self, name: str) -> SimpleNamespace:
        values = {"time": [0.0, 0.1, 0.2], "a": [1.0, None, 3.0], "b": [0.5, 0.5, 0.6]}[name]
        return SimpleNamespace(to_list=lambda: values)


Polar.__module__ = "polars.lazyframe.frame"


def test_a_lazy_table_is_collected():
    found = load(Polar())
    assert (found.entities, found.dt, found.mask[0, :, 0].tolist()) == (("a", "b"), 0.1, [True, False, True])


def test_real_arrays_of_xarray():
    xr = pytest.importorskip("xarray")
    place = movement(2, 3)["position"]
    coords = {name: one.values for name, one in place.coords.items()}
    data = xr.Dataset({"position": (place.dims, place.values)}, coords=coords)
    np.testing.assert_array_equal(load(data).x, load(movement(2, 3)).x)
    np.testing.assert_array_equal(load(data["position"]).x, load(movement(2, 3)).x)


def test_a_folder_of_tables_has_a_task_for_each_file(tmp_path):
    for number, frames in ((1, 12), (2, 9), (10, 12)):
        piece = Trajectories(X[:, :frames] + number, dt=0.5, features=("x", "y"), entities=DATA.entities)
        save(piece, tmp_path / f"fish {number}.csv")
    (tmp_path / "fish 2_edges.csv").write_text("task,source,target,type\n0,a,b,1\n")
    (tmp_path / "notes.md").write_text("nothing")
    found = load(tmp_path)
    assert (found.tasks, found.shape, found.dt) == (("fish 1", "fish 2", "fish 10"), (3, 12, 3, 2), 0.5)
    np.testing.assert_allclose(found.x[2], X[0] + 10)
    assert found.mask[1].all(-1).tolist() == [True] * 9 + [False] * 3
    assert (found.edges[1, 0, 1], found.edges[0, 0, 1]) == (1, -1)
    assert found.origin[0] == ("read as", "3 files, each is a task: fish 1.csv, fish 2.csv, fish 10.csv")
    again = load(tmp_path, fps=None, columns="time=time,entity=entity,features=[x]")
    assert again.features == ("x",)


def test_files_of_a_folder_that_do_not_fit_each_other_are_refused(tmp_path):
    save(DATA, tmp_path / "a.csv")
    save(Trajectories(X[..., :1], dt=0.5, features=("x",), entities=DATA.entities), tmp_path / "b.csv")
    assert "b.csv: its features are x, those of a.csv x, y; give all files" in refused(tmp_path)
    save(Trajectories(X, dt=0.1, features=("x", "y"), entities=DATA.entities), tmp_path / "b.csv")
    assert "b.csv: its time step is 0.1, that of a.csv 0.5; resample to one step" in refused(tmp_path)
    assert load(tmp_path, resample=0.5).dt == 0.5
    (tmp_path / "b.csv").write_text("nothing\n1\n")
    assert "b.csv" in refused(tmp_path)


def test_hundreds_of_people_are_cut_into_windows(tmp_path):
    lines = []
    for group in range(40):
        for frame in range(25):
            for person in range(3 * group, 3 * group + 3):
                lines.append(f"{10 * (frame + 25 * group)}\t{person}\t{person + 0.1 * frame:g}\t{0.2 * frame:g}\n")
    path = tmp_path / "street.txt"
    path.write_text("".join(lines))
    found = load(path, fps=25)
    assert (found.shape, found.dt, found.tasks[:2]) == ((40, 20, 3, 2), 0.4, ("0", "250"))
    assert found.mask is None
    assert found.x[1, 4, 2].tolist() == [5.4, 0.8]
    assert "120 people in windows of 20 frames" in dict(found.origin)["read as"]
    few = tmp_path / "few.txt"
    few.write_text("".join(lines[: 6 * 75]))
    assert load(few).shape == (1, 150, 18, 2)
    path.write_text("".join(line for line in lines if int(line.split("\t")[0]) % 100))
    assert "no 20 frames in a row in which the same 3 people are present" in refused(path)
