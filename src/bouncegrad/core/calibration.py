"""How sure may one be: the temperature at which edge probabilities forecast best, found without labels.

    τ = argmax Σ_tasks Σ_targets Σ_{t in the second half} max(log Σ_f p_τ(f) l_t(f) / mean_f l_t(f), -3)
    l_t(f) = exp(-loss_t[f]),  p_τ(f) ∝ exp(-Σ_{t in the first half} loss_t[f] / τ)

Errors of a model last for many frames, but the likelihood counts every frame as new evidence, so at τ = 1 edges look
surer than they are. Frames far away tell: who was too sure of a wrong filling forecasts them badly. A frame counts no
more than 3 nats against a belief, or the few close encounters that no model foresees would rule.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.couplings import Independent
from bouncegrad.core.heat_bath import BLOCK, ENUMERATED

TEMPERATURES = 2.0 ** torch.arange(0, 6.01, 0.25, dtype=torch.float64)
WORST = -3.0
HELD_OUT, SHORTEST = 8, 8
ROWS, TASKS, TASKS_AT_ONCE = 4_000_000, 200, 16


@torch.no_grad()
def calibrated_temperature(
    composition: GraphComposition, tracks: Float[Tensor, "M T N D"], z: Int[Tensor, "M E"], generator: torch.Generator
) -> float:
    """τ of these modules, from 1 to 64; 1 where tracks of less than 8 frames cannot be halved.

    Args:
        composition: trained modules.
        tracks: scaled states of tasks, of which some are looked at.
        z: their structures; only edges outside a block are read, where not all fillings can be enumerated.
        generator: draws the blocks.
    """
    frames, lags = tracks.shape[1], composition.lags
    if frames < SHORTEST + lags:
        return 1.0
    groups, choices = composition.groups, composition.choices
    whole = choices ** groups.shape[1] <= ENUMERATED
    columns = Independent().plan(groups, choices, ENUMERATED if whole else BLOCK, generator).columns
    count = choices ** columns.shape[1]
    held = torch.linspace(frames // 2 + 1, frames - 2, HELD_OUT).round().long().unique()
    tasks = min(len(tracks), TASKS, max(1, ROWS // (frames // 2 * len(groups) * count)))
    temperatures = TEMPERATURES.to(tracks.device)
    score = torch.zeros(len(temperatures), dtype=torch.float64)
    for x, given in zip(tracks[:tasks].split(TASKS_AT_ONCE), z[:tasks].split(TASKS_AT_ONCE), strict=True):
        numbers = torch.arange(len(x))
        seen = composition.conditional_losses(whole_tracks(x[:, : frames // 2 + 1], numbers, lags), given, columns)
        belief = (-seen / temperatures[:, None, None, None]).log_softmax(-1)
        for t in held:
            log = -composition.conditional_losses(whole_tracks(x[:, t - lags : t + 2], numbers, lags), given, columns)
            gain = (belief + log).logsumexp(-1) - log.logsumexp(-1) + math.log(count)
            score += gain.clamp(min=WORST).sum((1, 2))
    return float(temperatures[score.argmax()])
