"""Inference of graphs that change: one graph for each window of time, with the evidence of neighbouring windows."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int

from bouncegrad.core.smoothing import smoothed
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.data.windows import windows
from bouncegrad.models.model import Model
from bouncegrad.results.result import Result
from bouncegrad.settings.build import build_prior


def infer_windows(
    model: Model,
    data: Trajectories,
    frames: int,
    context: int | None = None,
    known: Int[np.ndarray, "M N N"] | None = None,
) -> Result:
    """Returns the edges of every window of every task; each window is a task of the result.

    See `data/windows.py` for the windows and `core/smoothing.py` for the evidence of neighbouring windows.

    Args:
        model: the trained model.
        data: new tasks.
        frames: W, changes from one frame to the next in a window.
        context: number of frames to infer from; None: all.
        known: types that edges have in all windows, `[task, source, target]`, -1 where not known.

    Raises:
        InputError: `Model.infer` refuses the data, or a window is longer than the recordings.
    """
    cut = windows(data.frames(0, context), frames)
    count = len(cut.tasks) // len(data.tasks)
    alone = model.infer(cut, known=None if known is None else known.repeat(count, 0))
    n, k = alone.probability.shape[2:]
    pairs = ~np.eye(n, dtype=bool)
    of_edges = torch.as_tensor(alone.probability[:, pairs]).view(-1, count, n * (n - 1), k)
    prior = build_prior(model.config, model.on(cut).pairs)
    before = torch.full((k,), 1 / k) if prior is None else prior[0, 0].softmax(-1)
    found = smoothed(of_edges, before)
    probability = alone.probability.copy()
    probability[:, pairs] = found.probability.flatten(0, 1).cpu().numpy()
    return Result.from_probability(
        probability,
        alone.loss,
        alone.context,
        tasks=alone.tasks,
        entities=alone.entities,
        priors=(*alone.priors, f"edges stay from window to window with probability {found.stay:.2f}, as was learned"),
        source=alone.source,
    )
