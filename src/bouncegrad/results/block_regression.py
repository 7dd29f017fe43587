"""A regression that says, without labels, which entities act on which, and how sure that is.

It is the rival of every other model of one graph: it takes seconds, and a model that does not predict held-out frames
better than it does is not to be believed. For each feature of each target, the change to the next frame is

    change ~ 1 + own past + some of: states of all entities, their previous states, products of states

The own past is chosen first: monomials of the present state, previous changes, a trend. Then terms are taken one after
the other, see `forward.py`. What may be taken, and how much is, is chosen by the loss on frames that were left out. A
source acts on a target if such frames are predicted worse without it, see `source_gains.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.blocks import (
    CLEAR,
    FINE,
    RESOLUTION,
    against,
    block_means,
    blocks_of,
    gap_of,
    losses,
    paired_z,
    probability,
)
from bouncegrad.results.doubts import BLURRED, DETOUR, NO_MORE, common_causes, detours
from bouncegrad.results.forward import Moments, forward
from bouncegrad.results.frame_pairs import OwnPast, Pairs, own_columns, pairs_of
from bouncegrad.results.regressor_choice import chosen, held_out
from bouncegrad.results.ridge import fit
from bouncegrad.results.shifts import over_shifts
from bouncegrad.results.source_gains import Law, Search
from bouncegrad.results.terms import LAGS, Form, terms_of


@dataclass(frozen=True, eq=False)
class Comparison:
    """Losses of the regression and of its null model on frames that the fits have not seen.

    Losses are in nats per number, in units of a typical change, and at most 5.

    Args:
        own: the null model: each target's own past alone.
        forms: form of the law of each target.
        losses_full, losses_own: mean loss of each block of time.
        block: of each predicted frame, from 0 to 19.
        predicted: (task, frame) of each predicted frame.
    """

    own: OwnPast
    forms: tuple[Form, ...]
    losses_full: Float[np.ndarray, " blocks"]
    losses_own: Float[np.ndarray, " blocks"]
    block: Int[np.ndarray, " rows"]
    predicted: Int[np.ndarray, "rows 2"]

    @property
    def lags(self) -> int:
        """The number of previous frames that any of the laws may use."""
        return LAGS if any(form.lags for form in self.forms) else 0

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
class Judged(Comparison):
    """The losses on later frames.

    Args:
        over_own: z of the gain over the own past, where smaller errors count, too, see `blocks.FINE`. Without noise,
            the own past alone predicts nearly exactly, and still worse than the true law.
        squared: mean squared error of the regression in each block, in squared typical changes.
    """

    over_own: float
    squared: Float[np.ndarray, " blocks"]


@dataclass(frozen=True, eq=False)
class BlockRegression(Comparison):
    """What the regression found in all frames. Matrices are `[source, target]`; their diagonal is 0.

    Args:
        probability: that a source acts on a target. If none is above 0.9, no interaction is shown. Low ones are no
            proof of absence.
        score: to rank pairs: nats that the source saves in a fit to all frames, the largest over the target's features.
        gain: loss without a source minus loss with it, in nats per frame.
        z: the gain divided by its standard error over blocks.
        blurred: targets whose present state is not seen well, see `blurred_targets`.
        common: pairs with a sign of a common cause, see `common_causes`; the edge is not called sure.
    """

    probability: Float[np.ndarray, "N N"]
    score: Float[np.ndarray, "N N"]
    gain: Float[np.ndarray, "N N"]
    z: Float[np.ndarray, "N N"]
    blurred: Bool[np.ndarray, " N"]
    common: Bool[np.ndarray, "N N"]


def regress_blocks(data: Trajectories) -> BlockRegression:
    """Returns who acts on whom according to a regression, in all recordings together.

    Args:
        data: one recording, or several of one graph; the true edges are not read.

    Raises:
        InputError: there are fewer than 40 pairs of frames in which every entity was observed.
    """
    pairs = pairs_of(data)
    own, own_losses = chosen(pairs)
    search = Search(pairs, own)
    whole = Moments.of(search.terms.values, search.changes)
    found = [search.gains(target, whole) for target in range(data.shape[2])]
    best = [of.laws[0] for of in found]
    score, gain, z = (np.stack([getattr(of, name) for of in found], 1) for name in ("score", "gain", "z"))
    ratio = np.minimum(np.stack([of.ratio for of in found], 1), over_shifts(search, found))
    blurred, common = blurred_targets(pairs, own, own_losses), common_causes([law.error for law in best], gain)
    prior = against(data.shape[2])
    ratio -= DETOUR * detours(probability(ratio, prior), gain) + BLURRED * blurred
    likely = np.where(common, np.minimum(probability(ratio, prior), NO_MORE), probability(ratio, prior))
    np.fill_diagonal(likely, 0.0)
    compared = comparison(pairs, own, best, np.stack([law.loss for law in best], 1), own_losses)
    return BlockRegression(
        **vars(compared), probability=likely, score=score, gain=gain, z=z, blurred=blurred, common=common
    )


def blurred_targets(pairs: Pairs, own: OwnPast, own_losses: Float[np.ndarray, "rows N D"]) -> Bool[np.ndarray, " N"]:
    """Returns the targets that their present state alone predicts worse than previous frames do, and not well.

    So that state is not the whole one: measurements are noisy, or something is not recorded. Others that move alike
    then help to see it, which looks as if they acted on it.
    """
    block = blocks_of(len(pairs))
    present = held_out(pairs, replace(own, lags=0)) if own.lags else own_losses
    z = paired_z(block_means(present.mean(2), block), block_means(own_losses.mean(2), block))
    return np.asarray((z > CLEAR) & (own_losses.mean((0, 2)) > 0))


def fit_and_judge(train: Trajectories, held: Trajectories, start: int | None = None) -> Judged:
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
    own = chosen(pairs, FINE)[0]
    search = Search(pairs, own, FINE)
    whole = Moments.of(search.terms.values, search.changes)
    # As many previous frames as the table of terms needs, so that both tables have the same columns.
    new = pairs_of(held, max(own.lags, min(pairs.lags, LAGS)), least=2)
    start = train.shape[1] + gap_of(train.shape[1] * 3 // 2) if start is None else start
    new = replace(new, middle=pairs.middle, scale=pairs.scale, unit=pairs.unit, clock=pairs.time(new.at[:, 1] + start))
    values, d = terms_of(new, own).values, new.change.shape[2]
    # With sources; the own past alone; the same law without its sources.
    errors, variances = np.empty((3, *new.change.shape)), np.empty((3, *new.change.shape[1:]))
    laws = []
    for target in range(train.shape[2]):
        law = search.best(target)[0]
        for feature, steps in enumerate(law.steps):
            output = target * d + feature
            path = forward(whole, output, *search.allowed(target, law.form), int(steps))
            errors[::2, :, target, feature] = path.predictions(whole, output, values)[:, [-1, 0]].T
            variances[::2, target, feature] = path.variance(len(pairs))[[-1, 0]]
        fitted = fit(own_columns(pairs, target, own), pairs.change[:, target])
        errors[1, :, target] = fitted.predict(own_columns(new, target, own))
        variances[1, target] = fitted.variance
        laws.append(law)
    errors = new.change - errors
    coarse, fine = (losses(errors, variances[:, None], pairs.unit, size) for size in (RESOLUTION, FINE))
    # Both are fits of the own past; of each number, the better one is the null model.
    better = fine[1].mean(0) <= fine[2].mean(0)
    with_null = [(loss[0], np.where(better, loss[1], loss[2])) for loss in (coarse, fine)]
    block = blocks_of(len(new))
    over_own = paired_z(*(block_means(loss.mean((1, 2)), block) for loss in with_null[1][::-1]))
    squared = block_means(np.square(errors[0] / pairs.unit).mean((1, 2)), block)
    return Judged(**vars(comparison(new, own, laws, *with_null[0])), over_own=float(over_own), squared=squared)


def comparison(
    pairs: Pairs,
    own: OwnPast,
    laws: list[Law],
    full_losses: Float[np.ndarray, "rows N D"],
    own_losses: Float[np.ndarray, "rows N D"],
) -> Comparison:
    """Returns both fits and their losses by block of time."""
    block = blocks_of(len(pairs))
    of_full, of_own = (block_means(loss.mean((1, 2)), block) for loss in (full_losses, own_losses))
    return Comparison(own, tuple(law.form for law in laws), of_full, of_own, block, pairs.at)
