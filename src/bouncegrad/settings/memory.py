"""How much memory a piece of work needs, estimated before it starts, so that too much is refused in one line.

Messages dominate: every pair of every frame that is looked at has a row of activations in each layer of the edge
modules. A gradient step keeps them all; inference looks at the frames of a task once without gradients.
"""

from __future__ import annotations

from itertools import pairwise

from bouncegrad.core.heat_bath import ENUMERATED
from bouncegrad.data.errors import InputError
from bouncegrad.data.memory import free_bytes, in_gigabytes
from bouncegrad.settings.config import Config

NUMBER, PAIR = 4, 64  # bytes, of a number and of all that a model keeps of a pair
REMEDY = "give fewer pairs (--candidates), shorter recordings or narrower modules, or in training a smaller --batch"
LEARNED, SQUARES = 4, 10  # copies of weights: with gradients and what optimizers keep; layers of an encoder, as wide
KEPT, PASSING = 11.0, 1.5  # copies of the activations of all layers, with gradients and without; measured


def training_bytes(config: Config, shape: tuple[int, int, int, int], pairs: int) -> float:
    """Of one gradient step, of the evidence that is kept between visits and of the modules, from resolved settings."""
    m, t, n, _ = shape
    assert config.steps is not None
    segments = config.segments or (t - 1) // config.steps
    frames = min(config.batch, m) * segments * config.steps
    degree = -(-pairs // n)
    fillings = config.types**degree if degree < 64 else ENUMERATED + 1
    table = NUMBER * m * n * fillings if fillings <= ENUMERATED else 0
    encoder = NUMBER * SQUARES * config.encoder_hidden**2 if config.proposal == "learned" else 0
    return KEPT * frames * pairs * row_bytes(config) + table + LEARNED * (model_bytes(config, 0) + encoder)


def inference_bytes(config: Config, shape: tuple[int, int, int, int], pairs: int) -> float:
    """Of the loss of one task, for which all of its frames are looked at together."""
    return PASSING * shape[1] * pairs * row_bytes(config)


def model_bytes(config: Config, entities: int) -> float:
    """Of the weights of all modules, and of the list of pairs."""
    layers = [*pairwise((*config.edge_hidden, config.message)), *pairwise(config.node_hidden)]
    return NUMBER * config.types * sum(a * b for a, b in layers) + PAIR * entities**2


def row_bytes(config: Config) -> int:
    """Of the activations of one message."""
    return NUMBER * (sum(config.edge_hidden) + config.message)


def require_memory(needed: float, what: str, remedy: str = REMEDY) -> None:
    """Refuses what would not fit into the memory that is free.

    Raises:
        InputError: names both sizes; nothing has been started.
    """
    free = free_bytes()
    if free is not None and needed > free:
        raise InputError(f"{what} takes about {in_gigabytes(needed)}, {in_gigabytes(free)} are free; {remedy}")
