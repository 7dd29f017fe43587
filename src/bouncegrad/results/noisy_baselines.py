"""Baselines that state how uncertain they are: a random walk, and a linear autoregression.

    random walk              x_{t+h} ~ Normal(x_t, h s²)                       s²: mean square of the changes
    linear autoregression    x_{t+1} = A x_t + B x_{t-1} + c + noise           of one entity's own features

Both are fitted to the frames up to the start of the forecast, over all tasks and entities together.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from bouncegrad.data.angles import continued, wrapped
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.baselines import static
from bouncegrad.results.crps import Normal

RIDGE = 1e-6  # of the normal equations, as a share of their mean diagonal


def random_walk(data: Trajectories, steps: int, start: int) -> Normal:
    """Returns the forecast of the `steps` frames after frame `start` by a random walk without drift."""
    x, seen = np.asarray(data.x[:, : start + 1], np.float64), _seen(data, start)
    changes = wrapped(x[:, 1:] - x[:, :-1], data.periods)[seen[:, 1:] & seen[:, :-1]]
    deviation = np.sqrt(np.square(changes).mean(0)) if len(changes) else np.zeros(x.shape[-1])
    ahead = np.sqrt(np.arange(1, steps + 1))[:, None, None]
    mean = static(data, steps, start)
    return Normal(mean, np.broadcast_to(ahead * deviation, mean.shape))


def autoregression(data: Trajectories, steps: int, start: int) -> Normal:
    """Returns the forecast of the `steps` frames after frame `start` by a linear autoregression over two frames.

    Mean and covariance follow the fitted recursion. If there are too few frames, it is a random walk.
    """
    d = data.shape[3]
    x, seen = np.asarray(data.x[:, : start + 1], np.float64), _seen(data, start)
    x = np.stack([continued(track, data.periods) for track in x])
    there = seen[:, 2:] & seen[:, 1:-1] & seen[:, :-2]
    if there.sum() < 2 * (2 * d + 1):
        return random_walk(data, steps, start)
    values = x[seen]
    middle, scale = values.mean(0), np.maximum(values.std(0), 1e-300)
    x = (x - middle) / scale
    inputs = np.concatenate([x[:, 1:-1], x[:, :-2], np.ones((*x.shape[:1], x.shape[1] - 2, x.shape[2], 1))], -1)[there]
    after, square = x[:, 2:][there], inputs.T @ inputs
    ridge = RIDGE * np.trace(square) / len(square) * np.eye(len(square))
    weights = np.linalg.solve(square + ridge, inputs.T @ after)
    noise = np.cov((after - inputs @ weights).T).reshape(d, d)
    now, before = ((static(data, 1, at)[:, 0] - middle) / scale for at in (start, start - 1))
    before = now - wrapped((now - before) * scale, data.periods) / scale
    state, step = np.concatenate([now, before], -1), np.zeros((2 * d, 2 * d))
    step[:d], step[d:, :d] = weights[: 2 * d].T, np.eye(d)
    covariance, means, deviations = np.zeros((2 * d, 2 * d)), [], []
    for _ in range(steps):
        state = state @ step.T
        state[..., :d] += weights[2 * d]
        covariance = step @ covariance @ step.T
        covariance[:d, :d] += noise
        means.append(state[..., :d] * scale + middle)
        deviations.append(np.broadcast_to(np.sqrt(covariance.diagonal()[:d]) * scale, now.shape))
    return Normal(np.stack(means, 1), np.stack(deviations, 1))


def _seen(data: Trajectories, start: int) -> Bool[np.ndarray, "M T N"]:
    """Returns which states up to frame `start` were observed."""
    if data.mask is not None:
        return data.mask[:, : start + 1]
    return np.ones((data.shape[0], start + 1, data.shape[2]), bool)
