"""What else could make an edge: a detour, a target that is not seen well, a common cause that was not recorded.

Such edges help to predict, so no loss on held-out frames tells them from others. What lies beside them does:

    detour          from s through m to t: frames are too far apart to see m act in between
    blurred target  its measured state is noisy, and whoever moves alike helps to see it
    common cause    what is left unexplained of s and of t goes together within one frame
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from bouncegrad.results.blocks import block_means, blocks_of, paired_z

DETOUR = 4.0  # nats against an edge that a detour explains
BLURRED = 2.0  # nats against an edge to a blurred target
LIKELY = 0.9  # probability of an edge that a detour may take
NO_MORE = 0.5  # probability at most where a common cause is seen
TOGETHER = 3.5  # z of a common cause; every pair of features is tried
FARTHEST = 3.0  # standard deviations at which an error is cut


def detours(likely: Float[np.ndarray, "N N"], gain: Float[np.ndarray, "N N"]) -> Bool[np.ndarray, "N N"]:
    """Returns the pairs s, t with edges s → m → t that are probable and that both gain more than s → t.

    In a frame of length dt, a law with the edges s → m → t moves t by s, too, but by a share of order dt only.

    Args:
        likely: probability of each edge, `[source, target]`.
        gain: of each edge, in nats per frame.
    """
    # An edge that is not probable leads nowhere.
    strong = np.where((likely > LIKELY) & ~np.eye(len(gain), dtype=bool), gain, 0.0)
    weakest = np.minimum(strong[:, :, None], strong[None])  # [source, between, target]
    return np.asarray(gain < weakest.max(1))


def common_causes(
    errors: Sequence[Float[np.ndarray, "rows D"]], gain: Float[np.ndarray, "N N"]
) -> Bool[np.ndarray, "N N"]:
    """Returns the pairs s, t whose errors go together, and by more than what the edge s → t gains.

    Let r be the correlation of what is left unexplained of s and of t at the same frame. A cause of both that was not
    recorded gives `-log(1 - r²) / 2` nats per frame there. If it lasts, the past of s tells something about it, and
    seems to act on t; but what it then gains is less.

    Args:
        errors: of each entity on frames that were left out, with all that is known to act on it.
        gain: of each edge, in nats per frame.
    """
    n, rows = len(errors), len(errors[0])
    scaled = [np.clip(of / np.maximum(of.std(0), np.finfo(float).tiny), -FARTHEST, FARTHEST) for of in errors]
    block, found = blocks_of(rows), np.zeros((n, n), bool)
    for t in range(n):
        for s in range(t):
            means = block_means(scaled[s][:, :, None] * scaled[t][:, None], block)
            together = np.abs(paired_z(means, np.zeros_like(means))) > TOGETHER
            nats = -np.log1p(-np.minimum(np.square(means.mean(0)), 1 - 1e-12)) / 2
            found[[s, t], [t, s]] = np.where(together, nats, 0.0).max() > np.maximum(gain[[s, t], [t, s]], 0.0)
    return found
