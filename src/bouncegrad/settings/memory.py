"""Estimates how much memory training and inference need, so that too much is refused before they start.

Messages need most of it: every pair in every frame has a row of activations in each layer of the edge modules. A
gradient step keeps all activations. Inference goes through the frames of one task at a time, without gradients.
"""

from __future__ import annotations

from itertools import pairwise

from bouncegrad.core.heat_bath import Enumeration
from bouncegrad.data.errors import InputError
from bouncegrad.data.memory import free_bytes, in_gigabytes
from bouncegrad.settings.resolved import ResolvedConfig, joint_evidence

NUMBER, PAIR = 4, 64  # bytes of a number in single precision, and of all that a model stores of a pair
LARGEST_TABLE = Enumeration().whole  # fillings of the edges into one entity that evidence is kept for
REMEDY = "give fewer pairs (--candidates), shorter recordings or narrower modules, or in training a smaller --batch"
LEARNED = 4  # copies of the weights: values, gradients and averages of the optimizer
SQUARES = 10  # layers of an encoder, each as wide as the next
KEPT, PASSING = 11.0, 1.5  # copies of the activations of all layers, with and without gradients; measured


def training_bytes(config: ResolvedConfig, shape: tuple[int, int, int, int], pairs: int) -> float:
    """Returns the bytes of one gradient step, of the evidence that is kept between visits, and of the modules."""
    m, t, n, _ = shape
    segments = config.segments or (t - 1) // config.steps
    frames = min(config.batch, m) * segments * config.steps
    degree = -(-pairs // n)
    fillings = config.edge_types**degree if degree < 64 else LARGEST_TABLE + 1
    table = NUMBER * m * n * fillings if fillings <= LARGEST_TABLE else 0
    if config.search == "joint-draws":
        table = NUMBER * joint_evidence(1 if config.shared_graph else m, n, degree, config.edge_types)
    encoder = NUMBER * SQUARES * config.encoder_hidden**2 if config.proposal == "learned" else 0
    return KEPT * frames * pairs * row_bytes(config) + table + LEARNED * (model_bytes(config, 0) + encoder)


def inference_bytes(config: ResolvedConfig, shape: tuple[int, int, int, int], pairs: int) -> float:
    """Returns the bytes of the loss of one task, which is computed on all of its frames together."""
    return PASSING * shape[1] * pairs * row_bytes(config)


def model_bytes(config: ResolvedConfig, entities: int) -> float:
    """Returns the bytes of the weights of all modules, and of the list of pairs."""
    layers = [*pairwise((*config.edge_hidden, config.message)), *pairwise(config.node_hidden)]
    return NUMBER * config.edge_types * sum(a * b for a, b in layers) + PAIR * entities**2


def row_bytes(config: ResolvedConfig) -> int:
    """Returns the bytes of the activations of one message."""
    return NUMBER * (sum(config.edge_hidden) + config.message)


def require_memory(needed: float, what: str, remedy: str = REMEDY) -> None:
    """Refuses work that does not fit into free memory; called before the work starts.

    Args:
        needed: bytes.
        what: the work, for the message.
        remedy: what to change so that less is needed.

    Raises:
        InputError: names the needed and the free memory.
    """
    free = free_bytes()
    if free is not None and needed > free:
        raise InputError(f"{what} takes about {in_gigabytes(needed)}, {in_gigabytes(free)} are free; {remedy}")
