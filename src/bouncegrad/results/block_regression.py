"""A regression that says, without labels, which entities act on which, and how sure that is.

It is the rival of every other model of one graph: it takes seconds, and a model that does not predict held-out frames
better than it does is not to be believed. For each target, with all its D features at once, the change to the next
frame is

    change ~ 1 + own monomials + features of all sources + previous frames of both [+ products] [+ trend]

What is in it is chosen by the loss on held-out frames. A source acts on a target if frames of the target that were left
out are predicted worse without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.blocks import (
    BLURRED,
    CLEAR,
    against,
    block_means,
    blocks_of,
    evidence,
    gap_of,
    losses,
    paired_z,
)
from bouncegrad.results.frame_pairs import Pairs, Regressors, design, pairs_of, sizes
from bouncegrad.results.regressor_choice import chosen, held_out
from bouncegrad.results.ridge import fit
from bouncegrad.results.source_gains import fold_gains, single_gains


@dataclass(frozen=True, eq=False)
class Comparison:
    """Losses of the regression and of its null model on frames that the fits have not seen.

    Losses are in nats per number, in units of a typical change, and at most 5.

    Args:
        full: regressors of the fit with sources.
        own: regressors of the null model: each target's own past alone.
        losses_full, losses_own: mean loss of each block of time.
        block: of each predicted frame, from 0 to 19.
        predicted: (task, frame) of each predicted frame.
    """

    full: Regressors
    own: Regressors
    losses_full: Float[np.ndarray, " blocks"]
    losses_own: Float[np.ndarray, " blocks"]
    block: Int[np.ndarray, " rows"]
    predicted: Int[np.ndarray, "rows 2"]

    @property
    def degree(self) -> int:
        """The degree of own monomials in the fit with sources."""
        return self.full.degree

    @property
    def lags(self) -> int:
        """The number of previous frames in the fit with sources."""
        return self.full.lags

    @property
    def heldout(self) -> float:
        """The mean loss per number with sources."""
        return self._mean(self.losses_full)

    @property
    def own_past(self) -> float:
        """The mean loss per number from the own past alone."""
        return self._mean(self.losses_own)

    @property
    def gain_z(self) -> float:
        """`own_past - heldout`, divided by its standard error over blocks."""
        return float(paired_z(self.losses_own, self.losses_full))

    def _mean(self, means: Float[np.ndarray, " blocks"]) -> float:
        return float(means @ np.bincount(self.block) / len(self.block))


@dataclass(frozen=True, eq=False)
class BlockRegression(Comparison):
    """What the regression found in all frames. Matrices are `[source, target]`; their diagonal is 0.

    Args:
        probability: that a source acts on a target. If none is above 0.9, no interaction is shown. Low ones are no
            proof of absence.
        score: to rank pairs: coefficients over their standard errors, taken together for all columns of a source, the
            largest over the target's features.
        gain: loss without a source minus loss with it, in nats per frame.
        z: the gain divided by its standard error over blocks.
        blurred: targets whose present state is not seen well, see `blurred_targets`; their edges need more evidence.
    """

    probability: Float[np.ndarray, "N N"]
    score: Float[np.ndarray, "N N"]
    gain: Float[np.ndarray, "N N"]
    z: Float[np.ndarray, "N N"]
    blurred: Bool[np.ndarray, " N"]


def regress_blocks(data: Trajectories) -> BlockRegression:
    """Returns who acts on whom according to a regression, in all recordings together.

    Losses are those of five folds of successive frames. The probability of a pair is the lower one of two: by losses of
    folds, and by leaving out single frames. The former is fooled by series that wander to where no frame was before,
    the latter by neighbouring frames that share what they tell.

    Args:
        data: one recording, or several of one graph; the true edges are not read.

    Raises:
        InputError: there are fewer than 40 pairs of frames in which every entity was observed.
    """
    pairs = pairs_of(data)
    own, own_losses = chosen(pairs, sources=False)
    full, full_losses = chosen(pairs, sources=True, trend=own.trend)
    plain = replace(full, size=1.0)  # shrunk sources no longer explain what they pass on from others
    gain, (alone, score) = fold_gains(pairs, plain), single_gains(pairs, plain)
    block, blurred = blocks_of(len(pairs)), blurred_targets(pairs, own, own_losses)
    prior = against(data.shape[2]) + BLURRED * blurred
    z, by_folds = evidence(gain, block, prior)
    probability = np.minimum(by_folds, evidence(alone, block, prior)[1])
    np.fill_diagonal(probability, 0.0)
    compared = comparison(pairs, full, own, full_losses, own_losses)
    matrices = {"probability": probability, "score": score, "gain": gain.mean(0), "z": z}
    return BlockRegression(**vars(compared), **matrices, blurred=blurred)


def blurred_targets(pairs: Pairs, own: Regressors, own_losses: Float[np.ndarray, "rows N D"]) -> Bool[np.ndarray, " N"]:
    """Returns the targets that their present state alone predicts worse than previous frames do, and not well.

    So that state is not the whole one: measurements are noisy, or something is not recorded. Others that move alike
    then help to see it, which looks as if they acted on it.
    """
    block = blocks_of(len(pairs))
    present = held_out(pairs, replace(own, lags=0)) if own.lags else own_losses
    z = paired_z(block_means(present.mean(2), block), block_means(own_losses.mean(2), block))
    return np.asarray((z > CLEAR) & (own_losses.mean((0, 2)) > 0))


def fit_and_judge(train: Trajectories, held: Trajectories, start: int | None = None) -> Comparison:
    """Returns the losses on `held` of the regression and of its null model, which are fitted to `train`.

    Units are the typical changes of `train`. What is in the fits is chosen by folds of `train`.

    Args:
        train: recordings of one graph.
        held: recordings of the same entities, such as the last third of the same one; see `split_in_time`.
        start: the first frame of `held`, counted from the first one of `train`. By default it follows the gap of
            `split_in_time`. It matters only where trends are found.

    Raises:
        InputError: there are too few pairs of frames in which every entity was observed.
    """
    pairs = pairs_of(train)
    own = chosen(pairs, sources=False)[0]
    full = chosen(pairs, sources=True, trend=own.trend)[0]
    new = pairs_of(held, max(own.lags, full.lags), least=2)
    start = train.shape[1] + gap_of(train.shape[1] * 3 // 2) if start is None else start
    new = replace(new, middle=pairs.middle, scale=pairs.scale, unit=pairs.unit, clock=pairs.time(new.at[:, 1] + start))
    found = {which: np.empty_like(new.change) for which in (full, own)}
    for which, loss in found.items():
        for target in range(train.shape[2]):
            x, groups = design(pairs, target, which)
            fitted = fit(x, pairs.change[:, target], sizes(which, x.shape[1], groups))
            error = new.change[:, target] - fitted.predict(design(new, target, which)[0])
            loss[:, target] = losses(error, fitted.variance, pairs.unit)
    return comparison(new, full, own, found[full], found[own])


def comparison(
    pairs: Pairs,
    full: Regressors,
    own: Regressors,
    full_losses: Float[np.ndarray, "rows N D"],
    own_losses: Float[np.ndarray, "rows N D"],
) -> Comparison:
    """Returns both fits and their losses by block of time."""
    block = blocks_of(len(pairs))
    of_full, of_own = (block_means(loss.mean((1, 2)), block) for loss in (full_losses, own_losses))
    return Comparison(full, own, of_full, of_own, block, pairs.at)
