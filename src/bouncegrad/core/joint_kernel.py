"""The draw of `joint_draws.py` for a processor: one compiled loop for each target, on as many threads as torch has.

Batched tensor operations are slow on many small matrices: for 20 entities this is more than ten times as fast. The
numbers are those of `joint_draws.draw` and `log_weights`, held by a test.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

LEAST = 1e-6  # probability of a type in the Gaussian prior, so that its covariance has an inverse
ROWS_AT_ONCE = 64  # targets that a thread takes at a time


def draw_and_weigh(
    g: Float[Tensor, "R n n"],
    h: Float[Tensor, "R n"],
    prior: Float[Tensor, "R degree K"],
    noise: Float[Tensor, "S R degree K"],
) -> tuple[Int[Tensor, "S R degree"], Float[Tensor, "S R"]]:
    """S weighted draws of the edges into each of R targets; all arguments in double precision, on the CPU.

    Returns:
        Types, and the logarithms of the weights.
    """
    samples, rows, degree, _ = noise.shape
    types, weights = np.zeros((samples, rows, degree), np.int64), np.zeros((samples, rows))
    arrays = [values.contiguous().numpy() for values in (g, h, prior, noise)]
    run = kernel()

    def some(start: int) -> None:
        run(*arrays, types, weights, start, min(start + ROWS_AT_ONCE, rows))

    starts = range(0, rows, ROWS_AT_ONCE)
    threads = min(torch.get_num_threads(), len(starts))
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(some, starts))
    else:
        for start in starts:
            some(start)
    return torch.from_numpy(types), torch.from_numpy(weights)


@cache
def kernel() -> Callable[..., None]:
    """The compiled loop; it is compiled when it is first called."""
    from bouncegrad.data.compiling import compiled  # here, so that other searches do not load the compiler

    return compiled(draw_rows)


def draw_rows(g, h, prior, noise, types, weights, first, last):  # type: ignore[no-untyped-def]  # compiled
    """Steps 1 to 3 of `joint_draws.py` for the targets from `first` to `last`."""
    samples, degree, k = noise.shape[0], noise.shape[2], noise.shape[3]
    d = k - 1
    n = degree * d
    for r in range(first, last):
        # The precision of a prior with probabilities p is diag(1 / p) + 1 / p_0, and times its mean it is 1 / p_0.
        precision, right = g[r].copy(), h[r].copy()
        one_over = np.empty((degree, k))
        for e in range(degree):
            total = 0.0
            for t in range(k):
                one_over[e, t] = max(np.exp(prior[r, e, t]), LEAST)
                total += one_over[e, t]
            for t in range(k):
                one_over[e, t] = total / one_over[e, t]
            for a in range(d):
                right[e * d + a] += one_over[e, 0]
                for c in range(d):
                    precision[e * d + a, e * d + c] += one_over[e, 0]
                precision[e * d + a, e * d + a] += one_over[e, a + 1]
        covariance = np.linalg.inv(precision)
        start = covariance @ right
        mean = np.empty((samples, n))
        for s in range(samples):
            for j in range(n):
                mean[s, j] = start[j]
        left = np.ones(degree, np.bool_)
        density = np.zeros(samples)
        known = np.zeros(samples)
        logits = np.empty(k)
        step, columns, slope = np.empty((n, d)), np.empty((n, d)), np.empty(d)
        for _ in range(degree):
            edge, least_variance = 0, np.inf
            for e in range(degree):
                if left[e]:
                    variance = 0.0
                    for a in range(d):
                        variance += covariance[e * d + a, e * d + a]
                    if variance < least_variance:
                        edge, least_variance = e, variance
            left[edge] = False
            at = edge * d
            if d == 1:
                inverse = np.full((1, 1), 1.0 / covariance[at, at])
            else:
                inverse = np.linalg.inv(covariance[at : at + d, at : at + d].copy())
            for j in range(n):
                if left[j // d]:
                    for a in range(d):
                        columns[j, a] = covariance[j, at + a]
                    for a in range(d):
                        value = 0.0
                        for c in range(d):
                            value += columns[j, c] * inverse[c, a]
                        step[j, a] = value
            for s in range(samples):
                logits[0] = prior[r, edge, 0]
                highest = logits[0]
                for a in range(d):
                    value = -one_over[edge, 0]
                    for c in range(d):
                        value += inverse[a, c] * mean[s, at + c]
                    cavity = inverse[a, a] - one_over[edge, 0] - one_over[edge, a + 1]
                    logits[a + 1] = value - cavity / 2 + prior[r, edge, a + 1]
                    highest = max(highest, logits[a + 1])
                total, chosen, best = 0.0, 0, -np.inf
                for t in range(k):
                    total += np.exp(logits[t] - highest)
                    value = logits[t] + noise[s, r, edge, t]
                    if value > best:
                        chosen, best = t, value
                types[s, r, edge] = chosen
                density[s] += logits[chosen] - highest - np.log(total)
                known[s] += prior[r, edge, chosen]
                for a in range(d):
                    slope[a] = (1.0 if chosen == a + 1 else 0.0) - mean[s, at + a]
                for j in range(n):
                    if left[j // d]:
                        for a in range(d):
                            mean[s, j] += step[j, a] * slope[a]
            for j in range(n):
                if left[j // d]:
                    for i in range(n):
                        if left[i // d]:
                            for a in range(d):
                                covariance[j, i] -= step[j, a] * columns[i, a]
        for s in range(samples):
            loss = 0.0
            for e in range(degree):
                if types[s, r, e]:
                    j = e * d + types[s, r, e] - 1
                    loss -= h[r, j]
                    for other in range(degree):
                        if types[s, r, other]:
                            loss += g[r, j, other * d + types[s, r, other] - 1] / 2
            weights[s, r] = known[s] - loss - density[s]
