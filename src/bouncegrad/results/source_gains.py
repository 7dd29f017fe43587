"""What each source saves a target on frames that were left out of the fits, under every form of law.

For each feature of a target, forward selection takes terms beside the own past; the number of steps is the one that
predicts folds of successive frames best. Then each source that was taken is forbidden, with all terms that hold it,
and the terms are chosen anew: what is predicted worse is what the source saves. Several forms of law may predict about
equally well. Then their evidence is averaged, since none of them is known to be the right one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.results.blocks import (
    AGAINST,
    LARGEST_GAIN,
    RESOLUTION,
    block_means,
    blocks_of,
    log_ratio,
    losses,
    paired_z,
)
from bouncegrad.results.forward import Moments, Path, forward
from bouncegrad.results.frame_pairs import OwnPast, Pairs
from bouncegrad.results.regressor_choice import folds_of
from bouncegrad.results.terms import FORMS, PRODUCT, Form, Terms, terms_of

STEPS = 25  # terms at most beside the own past, for each feature of a target
CLOSE = 2.0  # standard errors; a form of law that predicts worse by less is kept beside the best one
Steps = Float[np.ndarray, "held steps+1"]


class Law(NamedTuple):
    """A form of law for one target.

    Args:
        form: which terms are allowed.
        steps: terms that are taken for each feature of the target.
        loss: of each number on frames that were left out.
        error: observed minus predicted change of each such number.
        paths: the fits to each fold, for each feature.
    """

    form: Form
    steps: Int[np.ndarray, " D"]
    loss: Float[np.ndarray, "rows D"]
    error: Float[np.ndarray, "rows D"]
    paths: list[list[Path]]


class Fold(NamedTuple):
    """Moments of the rows to fit, the rows to judge on, and their terms."""

    moments: Moments
    held: Int[np.ndarray, " held"]
    values: Float[np.ndarray, "held L"]


class Gains(NamedTuple):
    """What sources save one target.

    Args:
        laws: the best one, and those about as good, the best one first.
        gain: loss without a source minus loss with it, in nats per frame, summed over the target's features.
        z: of the gain, over blocks of time.
        ratio: log-likelihood ratio of an edge, in nats, see `blocks.log_ratio`.
        score: nats that a source saves in a fit to all rows; the largest over the target's features.
        rows: the gain of the best law frame by frame, for each source whose ratio speaks for an edge.
    """

    laws: list[Law]
    gain: Float[np.ndarray, " N"]
    z: Float[np.ndarray, " N"]
    ratio: Float[np.ndarray, " N"]
    score: Float[np.ndarray, " N"]
    rows: dict[int, Float[np.ndarray, " rows"]]


class Search:
    """Looks for laws in one set of rows.

    Args:
        pairs: the rows.
        past: the own past of all targets.
        resolution: errors below it count as equal, in typical changes.
    """

    def __init__(self, pairs: Pairs, past: OwnPast, resolution: float = RESOLUTION) -> None:
        self.pairs, self.past, self.resolution = pairs, past, resolution
        self.terms: Terms = terms_of(pairs, past)
        self.changes = pairs.change.reshape(len(pairs), -1)
        self.rows, values = folds_of(pairs), self.terms.values
        self.folds = [
            Fold(Moments.of(values[train], self.changes[train]), held, values[held]) for train, held in self.rows
        ]
        offered = bool((self.terms.kind == PRODUCT).any())
        self.forms = [form for form in FORMS if (offered or not form.products) and (pairs.lags or not form.lags)]

    def allowed(self, target: int, form: Form) -> tuple[Bool[np.ndarray, " L"], Bool[np.ndarray, " L"]]:
        """Returns the terms of a target's own past, and those that may be taken beside it."""
        return self.terms.own(target, self.past, form), self.terms.allowed(target, form)

    def law(self, target: int, form: Form) -> Law:
        """Returns the best law of one form for a target."""
        features = self.pairs.change.shape[2]
        shape = len(self.pairs), features
        found = Law(form, np.zeros(features, int), np.empty(shape), np.empty(shape), [])
        for feature in range(features):
            output = target * features + feature
            paths = [forward(fold.moments, output, *self.allowed(target, form), STEPS) for fold in self.folds]
            by_step = [self.held_out(fold, output, path) for fold, path in zip(self.folds, paths, strict=True)]
            shortest = min(loss.shape[1] for _, loss in by_step)
            errors, joined = (
                np.concatenate([of[:, :shortest] for of in parts]) for parts in zip(*by_step, strict=True)
            )
            steps = int(joined.mean(0).argmin())
            found.steps[feature] = steps
            found.error[:, feature], found.loss[:, feature] = errors[:, steps], joined[:, steps]
            found.paths.append(paths)
        return found

    def held_out(self, fold: Fold, output: int, path: Path) -> tuple[Steps, Steps]:
        """Returns errors of an output after each step, and their losses, on the frames that were left out."""
        error = self.changes[fold.held, output, None] - path.predictions(fold.moments, output, fold.values)
        unit = np.full(error.shape[1], self.pairs.unit[output % len(self.pairs.unit)])
        return error, losses(error, path.variance(fold.moments.rows), unit, self.resolution)

    def best(self, target: int) -> list[Law]:
        """Returns the law that predicts a target best, and those that are not surely worse."""
        laws = sorted((self.law(target, form) for form in self.forms), key=lambda law: float(law.loss.mean()))
        block = blocks_of(len(self.pairs))
        means = [block_means(law.loss.mean(1), block) for law in laws]
        return [law for law, mean in zip(laws, means, strict=True) if paired_z(mean, means[0]) < CLOSE]

    def gains(self, target: int, whole: Moments) -> Gains:
        """Returns what each source saves a target.

        Args:
            target: the entity.
            whole: moments of all rows.
        """
        laws, block = self.best(target), blocks_of(len(self.pairs))
        gains = [self.refitted(target, law) for law in laws]
        found = [log_ratio(gain, block) for gain in gains]
        ratio = np.mean([ratio for _, ratio in found], 0)
        score = np.mean([self.score(target, law, whole) for law in laws], 0)
        rows = {int(source): gains[0][:, source] for source in np.flatnonzero(ratio > AGAINST)}
        return Gains(laws, gains[0].mean(0), found[0][0], ratio, score, rows)

    def refitted(self, target: int, law: Law) -> Float[np.ndarray, "rows N"]:
        """Returns the loss without each source minus the loss with it, frame by frame."""
        found = np.zeros((len(self.pairs), self.pairs.change.shape[1]))
        for feature, steps in enumerate(law.steps):
            for number, (fold, path) in enumerate(zip(self.folds, law.paths[feature], strict=True)):
                taken = self.terms.of[path.columns[: path.start + steps]].any(0)
                taken[target] = False
                for source in np.flatnonzero(taken):
                    less = self.without(target, law, feature, int(source), number) - law.loss[fold.held, feature]
                    found[fold.held, source] += np.clip(less, -LARGEST_GAIN, LARGEST_GAIN)
        return found

    def without(self, target: int, law: Law, feature: int, source: int, number: int) -> Float[np.ndarray, " held"]:
        """Returns the losses of a law that may not use a source, on the frames that one fold left out."""
        output, fold = target * len(law.steps) + feature, self.folds[number]
        own, allowed = self.allowed(target, law.form)
        refit = forward(fold.moments, output, own, allowed & ~self.terms.of[:, source], int(law.steps[feature]))
        return self.held_out(fold, output, refit)[1][:, -1]

    def score(self, target: int, law: Law, whole: Moments) -> Float[np.ndarray, " N"]:
        """Returns the nats that each source saves in a fit to all rows: by all of its terms, or by one more term."""
        n, features = self.pairs.change.shape[1:]
        found = np.zeros((features, n))
        own, allowed = self.allowed(target, law.form)
        for feature, steps in enumerate(law.steps):
            output = target * features + feature
            path = forward(whole, output, own, allowed, int(steps))
            taken, left = path.columns, max(float(path.left[-1]), np.finfo(float).tiny)
            saved = whole.saved_by_one_more(output, taken)
            for source in np.flatnonzero(np.arange(n) != target):
                its = self.terms.of[taken, source]
                if its.any():
                    others = np.isin(np.arange(len(own)), taken[~its])
                    ratio = float(forward(whole, output, others, others, 0).left[-1]) / left
                else:
                    more = saved[allowed & self.terms.of[:, source]].max(initial=0.0)
                    ratio = left / max(left - more, 1e-12 * left)
                found[feature, source] = whole.rows / 2 * np.log(ratio)
        return found.max(0)
