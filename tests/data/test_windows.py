"""Windows: no change is lost or counted twice."""

from __future__ import annotations

import numpy as np
import pytest

from bouncegrad import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.data.windows import windows


def recording(frames: int) -> Trajectories:
    x = np.arange(2.0 * frames).reshape(2, frames, 1, 1).repeat(3, 2)
    return Trajectories(x, edges=np.triu(np.ones((2, 3, 3), int), 1), tasks=("p", "q"), dt=0.5)


@pytest.mark.parametrize("frames", [7, 8, 9, 10])
def test_every_change_is_in_one_window(frames):
    data = recording(frames)
    cut = windows(data, 3)
    count = len(cut.tasks) // 2
    seen = np.ones(cut.x.shape[:3], bool) if cut.mask is None else cut.mask
    both = seen[:, :-1] & seen[:, 1:]
    starts = cut.x[:, :-1][both].reshape(-1, 3)[:, 0]
    assert sorted(starts.tolist()) == data.x[:, :-1, 0, 0].ravel().tolist()
    assert (np.diff(cut.x, axis=1)[both] == 1).all()
    assert cut.edges.shape == (2 * count, 3, 3)
    assert cut.dt == 0.5
    assert (cut.mask is None) == (frames in (7, 10))


def test_names_say_which_frames():
    assert windows(recording(8), 3).tasks == (
        *("p, frames 0-3", "p, frames 3-6", "p, frames 6-7"),
        *("q, frames 0-3", "q, frames 3-6", "q, frames 6-7"),
    )


def test_gaps_stay_where_they_are():
    data = recording(8)
    mask = np.ones((2, 8, 3), bool)
    mask[1, 4, 2] = False
    cut = windows(Trajectories(data.x, mask=mask), 7)
    assert np.array_equal(cut.mask, mask)
    assert np.argwhere(~windows(Trajectories(data.x, mask=mask), 4).mask[:, :4]).tolist() == [[3, 0, 2]]


@pytest.mark.parametrize("frames", [0, -1, 8])
def test_windows_that_are_none(frames):
    with pytest.raises(InputError, match=f"option window: {frames} frames; array has 8, give 1 to 7"):
        windows(recording(8), frames)
