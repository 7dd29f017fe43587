"""Resampling: curves that are known exactly, what is not interpolated, and the same data by every route."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load, save
from bouncegrad.data.resampling import resample
from bouncegrad.data.trajectories import Trajectories

RNG = np.random.default_rng(0)
UNEVEN = np.sort(np.r_[0.0, 4.0, np.arange(1, 40) * 0.1 + RNG.uniform(-0.02, 0.02, 39)])  # 41 times, usually 0.1 apart


def cubic(t: np.ndarray) -> np.ndarray:
    """Two entities with features (x, vx), `[frame, entity, feature]`: cubics and their derivatives."""
    return np.stack([np.stack([a * t**3 - t, 3 * a * t**2 - 1], -1) for a in (0.5, -1.0)], 1)


def cubics(t: np.ndarray, **about: object) -> Trajectories:
    return Trajectories(cubic(t)[None], features=("x", "vx"), **about)  # type: ignore[arg-type]


def test_cubics_and_their_velocities_are_exact_at_even_frames():
    for step, dt in ((0.1, 0.1), (0.03, 0.03), ("0.25", 0.25)):
        made = resample(cubics(UNEVEN), step, UNEVEN)
        t = np.arange(made.shape[1]) * dt
        assert made.dt == dt
        assert 4.0 - dt < t[-1] <= 4.0 + 1e-9
        assert made.mask is None
        np.testing.assert_allclose(made.x[0], cubic(t), atol=1e-9)


def test_a_smooth_curve_is_close():
    t = np.arange(41) * 0.1
    wave = np.sin(2 * UNEVEN)[None, :, None, None].repeat(2, 2)
    np.testing.assert_allclose(resample(Trajectories(wave), 0.1, UNEVEN).x[0, :, 0, 0], np.sin(2 * t), atol=1e-4)


def test_even_frames_stay_as_they_are_to_the_bit():
    data = Trajectories(RNG.normal(size=(3, 200, 2, 2)).astype(np.float32), dt=0.1)
    made = resample(data)
    assert made.dt == 0.1
    assert made.x.dtype == np.float32
    np.testing.assert_array_equal(made.x, data.x)
    assert made.resampling == "resampled to steps of 0.1 (recorded: 0.1 to 0.1, usually 0.1)"
    np.testing.assert_array_equal(resample(data, 0.2).x, data.x[:, ::2])
    np.testing.assert_array_equal(resample(data, 0.05).x[:, ::2], data.x)


def test_nothing_is_interpolated_across_a_gap():
    kept = (UNEVEN < 1.25) | (UNEVEN > 1.75)
    made = resample(cubics(UNEVEN[kept]), "usual", UNEVEN[kept])
    t = np.arange(made.shape[1]) * made.dt
    before, after = UNEVEN[UNEVEN < 1.25].max(), UNEVEN[UNEVEN > 1.75].min()
    np.testing.assert_array_equal(made.mask[0], np.repeat(((t <= before) | (t >= after))[:, None], 2, 1))
    assert 3 <= (~made.mask[0, :, 0]).sum() <= 7
    np.testing.assert_allclose(made.x[made.mask], cubic(t)[made.mask[0]], atol=1e-9)
    assert made.summary().endswith(f"{1 - made.mask.mean():.1%} not observed")
    # Steps as long as the gap ask for no more than there is.
    assert resample(cubics(UNEVEN[kept]), 0.8, UNEVEN[kept]).mask is None


def test_a_frame_that_was_left_out_is_missing_and_a_late_one_is_not():
    t = np.array([0.0, 1, 2, 4, 5, 6.4, 7, 8])
    made = resample(cubics(t), 1.0, t)
    assert np.flatnonzero(~made.mask[0, :, 0]).tolist() == [3]
    np.testing.assert_allclose(made.x[0, 6], cubic(np.array([6.0]))[0])


def test_entities_have_times_of_their_own_and_what_is_hidden_is_not_read():
    mask = np.arange(80)[:, None] % 2 == np.arange(2)
    t = np.arange(80) * 0.05 + RNG.uniform(-0.01, 0.01, 80)
    for hidden in (np.nan, 1e9):
        x = np.where(mask[..., None], cubic(t), hidden)
        made = resample(Trajectories(x[None], mask=mask[None], features=("x", "vx")), 0.1, t)
        inside = made.mask[0]
        assert inside[1:-1].all()
        np.testing.assert_allclose(made.x[0][inside], cubic(t[0] + 0.1 * np.arange(made.shape[1]))[inside], atol=1e-9)


def test_tasks_of_different_steps_and_lengths_come_to_one():
    t = np.stack([np.arange(20) * 0.1, 5 + np.arange(20) * 0.2])
    made = resample(Trajectories(np.stack([cubic(row) for row in t]), features=("x", "vx")), 0.1, t)
    assert made.shape == (2, 39, 2, 2)
    np.testing.assert_array_equal(made.mask.all(2).sum(1), [20, 39])
    np.testing.assert_allclose(made.x[1], cubic(5 + 0.1 * np.arange(39)), atol=1e-7)


def test_the_same_from_tables_of_any_layout(tmp_path):
    rows = [
        {"task": "a", "time": t, "entity": e, "x": x[0], "vx": x[1]}
        for t, c in zip(UNEVEN, cubic(UNEVEN), strict=True)
        for e, x in zip("01", c, strict=True)
    ]
    long = pd.DataFrame(rows)
    wide = pd.DataFrame(
        {"time": UNEVEN}
        | {f"{e}:{f}": cubic(UNEVEN)[:, i, k] for i, e in enumerate("01") for k, f in enumerate(("x", "vx"))}
    )
    long.sample(frac=1, random_state=0).to_csv(tmp_path / "long.csv", index=False)
    wide.to_csv(tmp_path / "wide.csv", index=False)
    direct = resample(cubics(UNEVEN), 0.1, UNEVEN)
    for source in (long, wide, tmp_path / "long.csv", tmp_path / "wide.csv"):
        with pytest.raises(
            InputError, match="resample to even steps with --resample usual, or --resample and a step of"
        ):
            load(source)
        found = load(source, resample=0.1)
        np.testing.assert_array_equal(found.x, direct.x)
        assert found.notes == direct.notes
    save(direct, tmp_path / "even.csv")
    np.testing.assert_array_equal(load(tmp_path / "even.csv").x, direct.x)
    np.testing.assert_array_equal(load(tmp_path / "even.csv", resample="usual").x, direct.x)


def test_velocities_are_derived_after(tmp_path):
    place = pd.DataFrame({"time": UNEVEN, "a:x": UNEVEN**2, "b:x": -UNEVEN})
    place.to_csv(tmp_path / "w.csv", index=False)
    made = load(tmp_path / "w.csv", resample=0.1, velocities=True)
    np.testing.assert_allclose(made.x[0, :, 0, 1], 2 * np.arange(41) * 0.1, atol=1e-9)
    again = resample(made, 0.2)
    assert again.derived == ("vx",)
    np.testing.assert_allclose(again.x[0, :, 0, 1], 2 * np.arange(21) * 0.2, atol=1e-9)


@pytest.mark.parametrize("step", [0, -1.0, float("nan"), float("inf"), "fast", None])
def test_steps_that_are_none(step):
    with pytest.raises(
        InputError, match=r"option resample: .* cannot be used; give the time between two frames, or usual"
    ):
        resample(cubics(UNEVEN), step, UNEVEN)


def test_what_cannot_be_resampled(tmp_path):
    with pytest.raises(InputError, match=r"array: steps of 1e-09 make up to 4,000,000,001 frames of 2 entities in all"):
        resample(cubics(UNEVEN), 1e-9, UNEVEN)
    with pytest.raises(InputError, match="times of task 0 do not rise"):
        resample(cubics(UNEVEN), 0.1, UNEVEN[::-1])
    with pytest.raises(InputError, match=r"times have shape \(3,\); give \(41,\) for all tasks, or \(1, 41\)"):
        resample(cubics(UNEVEN), 0.1, UNEVEN[:3])
    (tmp_path / "t.csv").write_text("time,entity,x\n" + "".join(f"{t},{e},1\n" for t in UNEVEN for e in "ab"))
    with pytest.raises(InputError, match="states its times itself; resample without a time step"):
        load(tmp_path / "t.csv", resample=0.1, time_step=0.2)
    (tmp_path / "t.csv").write_text("time,entity,x\n1,a,2\n2,b,3\n")
    with pytest.raises(InputError, match="no entity was recorded twice"):
        load(tmp_path / "t.csv", resample=0.1)
