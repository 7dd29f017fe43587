"""Statistics over blocks of time: they tell whether a difference of losses, frame by frame, is more than chance.

Losses of neighbouring frames depend on each other. Means over long blocks hardly do, so a standard error from blocks is
honest where one from frames is too small.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

BLOCKS = 20
RESOLUTION = 0.05  # in typical changes: errors below it count as equal
FINE = 0.005  # the same where a regression is held against the own past: both are exact fits
WORST = 5.0  # a loss per number is at most this, so that a few frames do not rule the mean
LARGEST_GAIN = 3.0  # per number and per frame, for the same reason
CALM = 0.3  # nats; where a few frames hold most of a gain, its z is measured with no frame above this
LEAST_GAP = 2  # frames
ROUNDING = 1e-12  # nats
MANY = 20  # entities; with more of them, each pair is less probable before any frame is seen
CLEAR = 3.0  # z above which a difference is not chance
AGAINST = 3.0  # nats against an edge before any frame is seen: a probability of 0.05


def gap_of(frames: int) -> int:
    """Returns how many frames to leave out between training and judging: 1 %, and at least 2."""
    return max(LEAST_GAP, frames // 100)


def split_in_time(frames: int, share: float = 1 / 3) -> tuple[slice, slice]:
    """Returns the frames to train on, and the last ones to judge on, with a gap between them.

    Args:
        frames: T of a recording.
        share: the share of frames to judge on.

    Example:
        >>> split_in_time(900)
        (slice(0, 591, None), slice(600, 900, None))
    """
    held = round(frames * (1 - share))
    return slice(0, max(held - gap_of(frames), 0)), slice(held, frames)


def blocks_of(rows: int) -> Int[np.ndarray, " rows"]:
    """Returns the block of each row: 20 in a row of equal length, or fewer if there are fewer than 40 rows."""
    return np.arange(rows) * min(BLOCKS, max(rows // 2, 1)) // max(rows, 1)


def block_means(
    values: Float[np.ndarray, "rows ..."], block: Int[np.ndarray, " rows"]
) -> Float[np.ndarray, "blocks ..."]:
    """Returns the mean of each block. Blocks are numbered from 0, and the rows of a block follow each other.

    Example:
        >>> block_means(np.array([1.0, 3.0, 5.0]), np.array([0, 0, 1])).tolist()
        [2.0, 5.0]
    """
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    counts = np.diff(starts, append=len(block))
    return np.add.reduceat(values, starts, axis=0) / counts.reshape(-1, *[1] * (values.ndim - 1))


def paired_z(a: Float[np.ndarray, "blocks ..."], b: Float[np.ndarray, "blocks ..."]) -> Float[np.ndarray, "*any"]:
    """Returns the mean of `a - b` over blocks, divided by its standard error; positive if the losses `b` are lower.

    It is 0 where all blocks differ by the same, as where nothing differs.

    Example:
        >>> float(paired_z(np.array([3.0, 5.0]), np.array([1.0, 1.0])))
        3.0
    """
    return _mean_error_z(np.asarray(a) - np.asarray(b))[2]


def _mean_error_z(means: Float[np.ndarray, "blocks ..."]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the mean over blocks, its standard error, and their ratio."""
    mean = means.mean(0)
    error = means.std(0, ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.zeros_like(mean)
    z = np.divide(mean, error, out=np.zeros_like(mean), where=error > 1e-9 * np.abs(mean) + ROUNDING)
    return mean, error, z


def losses(
    error: Float[np.ndarray, "... D"],
    variance: Float[np.ndarray, "... D"],
    unit: Float[np.ndarray, " D"],
    resolution: float = RESOLUTION,
) -> Float[np.ndarray, "... D"]:
    """Returns the negative log-likelihood of each number, in nats, under a Gaussian.

    Args:
        error: observed minus predicted change.
        variance: of the prediction.
        unit: a typical change of each feature. Errors are measured in it.
        resolution: errors below it count as equal, in typical changes.
    """
    spread = variance / np.square(unit) + resolution**2
    return np.minimum(0.5 * (np.log(2 * np.pi * spread) + np.square(error / unit) / spread), WORST)


def against(entities: int) -> float:
    """Returns the nats against an edge: more for many entities, or a few of many absent edges would seem sure."""
    return AGAINST + max(0.0, float(np.log((entities - 1) / (MANY - 1))))


def log_ratio(
    gain: Float[np.ndarray, "rows ..."], block: Int[np.ndarray, " rows"]
) -> tuple[Float[np.ndarray, "*any"], Float[np.ndarray, "*any"]]:
    """Returns how sure a gain is: its z over blocks, and the log-likelihood ratio of more than chance against chance.

    Let m be its mean, SE its standard error over blocks, and `z = m / SE`. As many frames as
    `tau = max(1, T SE^2 / var g)` tell what one frame tells alone, so the log-likelihood ratio is `L = T m / tau`.
    Whatever the likelihood is, z is worth about `z |z| / 2`. The smaller of both counts.

    Where interactions show in bursts, such as a hunt, few frames hold most of the gain. The mean over blocks is then
    far from normal, and z is small however clear the bursts are. So z is measured a second time with gains cut at
    `CALM`, and the larger z counts for the ratio, which is above 0 only if the mean gain is.

    Args:
        gain: loss without a source minus loss with it, in nats, frame by frame; it counts up to `LARGEST_GAIN`.
        block: of each row.
    """
    rows, counted = len(gain), np.clip(gain, -LARGEST_GAIN, LARGEST_GAIN)
    mean, error, z = _mean_error_z(block_means(counted, block))
    spread = counted.var(0)
    shared = np.divide(rows * np.square(error), spread, out=np.ones_like(mean), where=spread > 0)
    calm = _mean_error_z(block_means(np.clip(gain, -CALM, CALM), block))[2]
    clearer = np.maximum(z, calm)
    return z, np.minimum(rows * mean / np.maximum(shared, 1), clearer * np.abs(clearer) / 2)


def probability(ratio: Float[np.ndarray, "*any"], prior: float | np.ndarray = AGAINST) -> Float[np.ndarray, "*any"]:
    """Returns `sigmoid(ratio - prior)`, where the prior is nats against.

    An edge that adds nothing keeps a probability near `sigmoid(-prior)`, since what cannot be seen may still be there.
    """
    return np.asarray(1 / (1 + np.exp(np.clip(prior - ratio, -30, 30))))
