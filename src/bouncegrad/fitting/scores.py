"""The score of a model on recordings that it was not trained on, without true edges."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.data.windows import windows
from bouncegrad.fitting.edge_types import held_out_loss
from bouncegrad.models.model import Model
from bouncegrad.settings.devices import computing


def score(model: Model, data: Trajectories, known: Int[np.ndarray, "M N N"] | None = None) -> float:
    """Returns the mean log-likelihood of later frames, in nats per number, see `edge_types.held_out_loss`.

    Edges are inferred from the first half of the frames, and the second half is predicted. A number counts -5 nats at
    least, so that a few frames of an overfitted model do not rule the score.

    Args:
        model: with a likelihood of changes.
        data: new tasks.
        known: types of edges that need not be found, -1 for all others.

    Raises:
        InputError: the model has no likelihood, or there are too few frames, or other features than in training.
    """
    if model.config.loss != "likelihood":
        raise InputError(f"score: a model with loss {model.config.loss} has no likelihood; train with loss likelihood")
    if (length := model.config.window) is not None:
        known = None if known is None else known.repeat(-(-(data.shape[1] - 1) // length), 0)
        data = windows(data, length)
    half, least = data.shape[1] // 2, model.config.lags + 2
    if half < least:
        frames = f"{data.source}: {data.shape[1]} frames{'' if length is None else ' in a window'}"
        raise InputError(f"{frames}; a score needs {2 * least}: half to infer edges, half to predict")
    with computing("cpu", model.config.threads):
        return -held_out_loss(model, model.adopted(data), known, "score")
