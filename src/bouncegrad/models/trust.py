"""How far the probabilities of edges may be trusted; verdicts are those of `fitting/variants.py`.

    recordings are unlike those of training        probabilities are moved towards even ones: no edge is determined
    the verdict is not `interaction`               the same
    one recording, or three at most                they follow blocks of time, see `core/block_evidence.py`
    more recordings                                they stay as they are; they were calibrated in training

Where graphs of new recordings are asked for, the verdict is that of the training. Models of many recordings have none;
the recordings themselves are then judged, see `held_out.judged`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from bouncegrad.core.block_evidence import block_probability
from bouncegrad.core.inferred import Inference
from bouncegrad.core.priors import Prior
from bouncegrad.core.seams import Relational
from bouncegrad.results.verdict import Verdict

UNSURE = 0.2  # share of what evidence adds to a probability that is left where the graph should not be read


class Trust(NamedTuple):
    """What is known about a model that was trained on few recordings.

    Args:
        verdict: of its held-out frames.
        in_time: whether the recordings were divided in time: there were three at most.
        priors: knowledge about edges that the held-out frames chose, in words; the user stated the rest.
    """

    verdict: Verdict
    in_time: bool
    priors: tuple[str, ...] = ()

    @classmethod
    def read(cls, about: dict[str, Any] | None) -> Trust | None:
        """Returns what data.json holds about held-out frames; None if there is nothing.

        Raises:
            ValueError: it is damaged.
        """
        if about is None:
            return None
        return cls(Verdict.from_json(about["verdict"]), bool(about["in_time"]), tuple(about.get("priors", ())))


def trusted(
    trust: Trust | None,
    unlike: bool,
    composition: Relational,
    tracks: Float[Tensor, "M T N D"],
    found: Inference,
    prior: Prior | None,
) -> Float[Tensor, "M E K"]:
    """Returns the probabilities of types that are supported.

    Args:
        trust: what is known about the model; None: it was trained on many recordings.
        unlike: whether the recordings are unlike those of training.
        composition: its modules, on the entities of the recordings.
        tracks: scaled states.
        found: what was inferred from them.
        prior: log-probabilities of types; None: all types are equally probable.
    """
    probability = found.probability
    before = torch.zeros_like(probability) if prior is None else prior.to(probability).expand_as(probability)
    before = before.log_softmax(-1)
    if unlike or (trust is not None and trust.verdict.kind != "interaction"):
        possible = ~before.isinf()
        return weakened(probability, possible / possible.sum(-1, keepdim=True))
    if trust is not None and trust.in_time:
        in_blocks = block_probability(composition, tracks, found.z, before)
        return probability if in_blocks is None else in_blocks.to(probability)
    return probability


def weakened(
    probability: Float[Tensor, "M E K"], before: Float[Tensor, "M E K"], share: float = UNSURE
) -> Float[Tensor, "M E K"]:
    """Returns probabilities nearer to those before: `before + share (probability - before)`.

    The order of edges does not change, so that scores like AUROC stay as they are.
    """
    return before + share * (probability - before)
