"""Calibration: finds the temperature at which edge probabilities predict held-out frames best, without true edges.

    τ = argmax Σ_tasks Σ_targets Σ_{t in the second half} max(log Σ_f p_τ(f) l_t(f) / mean_f l_t(f), -3)
    l_t(f) = exp(-loss_t[f]),  p_τ(f) ∝ exp(-Σ_{t in the first half} loss_t[f] / τ)

Errors of a model are similar for many frames, but the likelihood counts every frame as new evidence. So probabilities
at τ = 1 are too close to 0 and 1. Overconfident posteriors predict held-out frames badly, so the best τ can be found.
One frame counts at most 3 nats against a posterior. Otherwise a few close encounters, which no model predicts, would
determine τ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.couplings import Independent
from bouncegrad.core.heat_bath import Enumeration
from bouncegrad.core.seams import Relational

TEMPERATURES = 2.0 ** torch.arange(0, 6.01, 0.25, dtype=torch.float64, device="cpu")
WORST = -3.0  # nats


@dataclass(frozen=True)
class CalibrationEffort:
    """How much data the calibration reads.

    Args:
        held_out: frames of the second half that are predicted.
        shortest: tracks with fewer frames are not halved.
        rows: losses that are evaluated over all tasks, at most; this limits the time.
        tasks: tasks that are read, at most.
        tasks_at_once: tasks that fit into memory together.
        limits: how many fillings are enumerated.
    """

    held_out: int = 8
    shortest: int = 8
    rows: int = 4_000_000
    tasks: int = 200
    tasks_at_once: int = 16
    limits: Enumeration = Enumeration()


@torch.no_grad()
def calibrated_temperature(
    composition: Relational,
    tracks: Float[Tensor, "M T N D"],
    z: Int[Tensor, "M E"],
    generator: torch.Generator,
    effort: CalibrationEffort = CalibrationEffort(),
) -> float:
    """Returns τ of these modules, from 1 to 64; it is 1 if tracks have fewer than 8 frames and cannot be halved.

    Args:
        composition: trained modules.
        tracks: scaled states of tasks; some of the tasks are read.
        z: their structures; they are read only if not all fillings can be enumerated, for the edges outside a block.
        generator: draws the blocks.
        effort: how much is read.
    """
    frames, lags = tracks.shape[1], composition.lags
    if frames < effort.shortest + lags:
        return 1.0
    groups, choices = composition.groups, composition.choices
    limits = effort.limits
    largest = limits.whole if choices ** groups.shape[1] <= limits.whole else limits.block or limits.smallest
    columns = Independent().plan(groups, choices, largest, generator).columns
    count = choices ** columns.shape[1]
    held = torch.linspace(frames // 2 + 1, frames - 2, effort.held_out, device=tracks.device).round().long().unique()
    tasks = min(len(tracks), effort.tasks, max(1, effort.rows // (frames // 2 * len(groups) * count)))
    temperatures = TEMPERATURES.to(tracks.device)
    score = torch.zeros(len(temperatures), dtype=torch.float64, device=tracks.device)
    some = tracks[:tasks].split(effort.tasks_at_once), z[:tasks].split(effort.tasks_at_once)
    for x, given in zip(*some, strict=True):
        numbers = torch.arange(len(x), device=x.device)
        seen = composition.conditional_losses(whole_tracks(x[:, : frames // 2 + 1], numbers, lags), given, columns)
        belief = (-seen / temperatures[:, None, None, None]).log_softmax(-1)
        for t in held:
            log = -composition.conditional_losses(whole_tracks(x[:, t - lags : t + 2], numbers, lags), given, columns)
            gain = (belief + log).logsumexp(-1) - log.logsumexp(-1) + math.log(count)
            score += gain.clamp(min=WORST).sum((1, 2))
    return float(temperatures[score.argmax()])
