"""The container, the scaling fitted on it, and files that are replaced as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouncegrad.data.errors import InputError
from bouncegrad.data.files import replacing
from bouncegrad.data.scaling import Scaling, feature_groups
from bouncegrad.data.trajectories import Trajectories, plural


def walk(m: int = 3, t: int = 6, n: int = 4, d: int = 4, seed: int = 0, **fields: object) -> Trajectories:
    x = np.random.default_rng(seed).normal(size=(m, t, n, d)).cumsum(1)
    return Trajectories(x, **fields)  # type: ignore[arg-type]


def test_defaults_name_everything():
    data = walk()
    assert data.features == ("x", "y", "vx", "vy")
    assert data.entities == ("0", "1", "2", "3")
    assert data.tasks == ("0", "1", "2")
    assert data.units == ("", "", "", "")
    assert walk(d=3).features == ("x0", "x1", "x2")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"x": np.zeros((3, 4, 2))}, r"4 axes \(task, frame, entity, feature\), found shape \(3, 4, 2\)"),
        ({"x": np.zeros((0, 4, 2, 1))}, "0 tasks"),
        ({"x": np.zeros((1, 1, 2, 1))}, "1 frame in"),
        ({"x": np.zeros((1, 4, 1, 1))}, "1 entity in"),
        ({"x": np.zeros((1, 4, 2, 0))}, "0 features in"),
        ({"x": np.full((1, 4, 2, 1), "a")}, "must be numbers, found dtype <U1"),
        ({"dt": 0.0}, r"dt is 0\.0; give the positive time"),
        ({"dt": float("nan")}, "dt is nan"),
        ({"features": ("x", "y")}, "2 names in features for 4"),
        ({"entities": ("a", "b", "a", "c")}, "'a' stands twice in entities"),
        ({"mask": np.ones((3, 6, 4))}, r"mask must be boolean of shape \(3, 6, 4\).*found float64"),
        ({"mask": np.ones((3, 6), bool)}, r"found bool \(3, 6\)"),
        ({"edges": np.zeros((3, 4))}, r"edges must have shape \(3, 4, 4\).*found \(3, 4\)"),
        ({"edges": np.full((3, 4, 4), 0.5)}, "whole numbers"),
        ({"edges": np.full((3, 4, 4), -2)}, r"edge type -2 at \(task, source, target\) \(0, 0, 0\)"),
        ({"edges": np.ones((3, 4, 4), int)}, "edge from entity 0 to itself"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(fields, message):
    with pytest.raises(InputError, match=message) as caught:
        Trajectories(**{"x": walk().x, "source": "file.npz", **fields})
    assert str(caught.value).startswith("file.npz: ")
    assert "\n" not in str(caught.value)


def test_states_are_kept_in_a_precision_and_byte_order_that_torch_knows():
    x = walk().x
    assert Trajectories(x.astype(np.float32)).x.dtype == np.float32
    for dtype in (">f8", ">f4", np.float16, np.int32, np.longdouble):
        stored = Trajectories(x.astype(dtype)).x
        assert stored.dtype == np.float64
        assert stored.dtype.isnative
        assert np.array_equal(stored, x.astype(dtype))


def test_edges_may_come_as_floats_and_mask_as_lists():
    edges = np.zeros((1, 2, 2))
    edges[0, 0, 1] = 2.0
    data = Trajectories(np.zeros((1, 2, 2, 1)), mask=[[[True, False], [True, True]]], edges=edges)  # type: ignore[arg-type]
    assert data.edges is not None
    assert data.edges.dtype == np.int64
    assert data.edges[0, 0, 1] == 2
    assert data.select([0]).mask.tolist() == [[[True, False], [True, True]]]


def test_select_keeps_parts_of_a_task_together():
    edges = np.zeros((3, 4, 4), int)
    edges[:, 0, 1] = 1, 2, 3
    data = walk(edges=edges, mask=np.ones((3, 6, 4), bool), tasks=("a", "b", "c"))
    two = data.select([2, 0])
    assert two.tasks == ("c", "a")
    assert two.edges is not None
    assert two.edges[:, 0, 1].tolist() == [3, 1]
    assert np.array_equal(two.x, data.x[[2, 0]])
    assert data.select(np.array([False, True, False])).tasks == ("b",)
    assert data.without_edges().edges is None


def test_frames_cut_states_and_mask_alike():
    mask = np.arange(6)[None, :, None].repeat(3, 0).repeat(4, 2) % 2 == 0
    part = walk(mask=mask).frames(1, 4)
    assert np.array_equal(part.x, walk().x[:, 1:4])
    assert part.mask is not None
    assert part.mask[0, :, 0].tolist() == [False, True, False]


@given(m=st.integers(2, 30), share=st.floats(0.05, 0.95), seed=st.integers(0, 5))
def test_split_gives_every_task_to_one_side(m, share, seed):
    data = walk(m=m, t=2, n=2, d=1)
    if not 0 < round(share * m) < m:
        with pytest.raises(InputError, match="change the share"):
            data.split(share, seed)
        return
    rest, held = data.split(share, seed)
    assert len(held.tasks) == round(share * m)
    assert sorted(rest.tasks + held.tasks, key=int) == list(data.tasks)
    assert list(held.tasks) == sorted(held.tasks, key=int)
    assert held.tasks == data.split(share, seed)[1].tasks


def test_require_finite_names_the_first_bad_value_and_skips_unobserved_ones():
    x = walk().x.copy()
    x[1, 2, 3, 1] = np.inf
    with pytest.raises(InputError, match=r"inf at task 1, frame 2, entity 3, feature y \(1 such value\)"):
        Trajectories(x).require_finite()
    mask = np.ones((3, 6, 4), bool)
    mask[1, 2, 3] = False
    data = Trajectories(x, mask=mask)
    assert data.require_finite() is data


def test_summary_is_one_line_with_the_counts():
    edges = np.zeros((500, 5, 5), int)
    assert Trajectories(np.zeros((500, 49, 5, 4)), edges=edges).summary() == (
        "500 tasks, 49 frames, 5 entities, 4 features (x, y, vx, vy), truth for 20 edges"
    )


def test_plural():
    assert [plural(word, 2) for word in ("task", "entity", "key")] == ["tasks", "entities", "keys"]
    assert plural("entity", 1) == "entity"


def test_scaling_on_numbers_worked_out_by_hand():
    x = np.zeros((1, 3, 2, 1))
    x[0, :, 0, 0] = 0, 2, 4
    x[0, :, 1, 0] = 4, 6, 8
    fitted = Scaling.fit(Trajectories(x))
    assert fitted.shift == (4.0,)
    assert fitted.scale == pytest.approx((np.sqrt(20 / 3),))
    assert fitted.change == (fitted.scale[0],)  # every change is 2: no spread, so the states' own scale
    assert fitted.difference == pytest.approx((np.sqrt(2 * 4),))
    assert (fitted.low, fitted.high) == ((0.0,), (8.0,))
    assert fitted.published().tolist() == [0.25]


def test_scaling_groups_positions_and_velocities():
    assert feature_groups(("x", "vx", "y", "vy", "mass")) == [[0, 2], [1, 3], [4]]
    data = walk()
    fitted = Scaling.fit(data)
    assert fitted.low[0] == fitted.low[1] == data.x[..., :2].min()
    assert fitted.high[2] == fitted.high[3] == data.x[..., 2:].max()


@pytest.mark.filterwarnings("error")
def test_scaling_ignores_unobserved_states_and_never_divides_by_zero():
    data = walk()
    mask = np.ones((3, 6, 4), bool)
    mask[:, 4:] = False  # frames that nobody was seen in
    mask[0, :, 1] = False
    hidden = data.x.copy()
    hidden[~mask] = np.nan
    other = data.x.copy()
    other[~mask] = 1e6
    assert Scaling.fit(Trajectories(hidden, mask=mask)) == Scaling.fit(Trajectories(other, mask=mask))
    still = Scaling.fit(Trajectories(np.ones((1, 3, 2, 1))))
    assert still.scale == still.change == still.difference == (1.0,)


@pytest.mark.filterwarnings("error")
def test_scaling_of_scattered_observations():
    mask = np.zeros((1, 4, 2), bool)
    mask[0, 0, 0] = mask[0, 2, 1] = True  # no two frames in a row, no two entities at once
    x = np.full((1, 4, 2, 1), np.nan)
    x[mask] = [[1.0], [3.0]]
    fitted = Scaling.fit(Trajectories(x, mask=mask))
    assert fitted.scale == fitted.change == fitted.difference == (1.0,)
    with pytest.raises(InputError, match="no observed state"):
        Scaling.fit(Trajectories(x, mask=np.zeros((1, 4, 2), bool)))


def test_replacing_leaves_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "new" / "result.txt"
    with replacing(path) as temporary:
        temporary.write_text("first")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        _ = temporary.write_text("half of the second") / 0
    assert path.read_text() == "first"
    assert [file.name for file in path.parent.iterdir()] == ["result.txt"]


def test_replacing_refuses_a_folder_it_cannot_make(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"), replacing(tmp_path / "file" / "result.txt"):
        pass


def test_replacing_refuses_a_folder_in_the_place_of_the_file(tmp_path):
    with pytest.raises(InputError, match="writing failed"), replacing(tmp_path) as temporary:
        temporary.write_text("text")


@pytest.mark.parametrize("unit", [1e-15, 1.0, 1e15])
def test_scaling_follows_the_unit_however_small(unit: float) -> None:
    x = np.random.default_rng(0).normal(size=(3, 5, 2, 1))
    plain, other = Scaling.fit(Trajectories(x)), Scaling.fit(Trajectories(x * unit))
    for field in ("scale", "change", "difference"):
        np.testing.assert_allclose(getattr(other, field), np.array(getattr(plain, field)) * unit, rtol=1e-9)
