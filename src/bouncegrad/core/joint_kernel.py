"""The draw of `joint_draws.py` for a processor: one compiled loop for each row, on as many threads as torch has.

Batched tensor operations are slow on many small matrices: for 20 entities this is more than ten times as fast. The
numbers are those of `joint_draws.draw` and `log_weights`, held by a test.

Conditioning on an edge subtracts a product u uᵀ from the covariance. Only its diagonal, which gives the order, is
updated at once. The rows u are kept in a panel, and the covariance is updated when the panel is full: large matrices
are then read once in many edges.
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
WORK = 2**16  # numbers in the matrices of the rows that a thread takes at a time, at most
PANEL = 32  # rows of the panel


def draw_and_weigh(
    g: Float[Tensor, "R n n"],
    h: Float[Tensor, "R n"],
    prior: Float[Tensor, "R degree K"],
    uniform: Float[Tensor, "S R degree"],
) -> tuple[Int[Tensor, "S R degree"], Float[Tensor, "S R"], Float[Tensor, "S R"]]:
    """S weighted draws of the edges of each of R rows; all arguments in double precision, on the CPU.

    Returns:
        Types, and the logarithms of weights and densities.
    """
    samples, rows, degree = uniform.shape
    types, logarithms = np.zeros((samples, rows, degree), np.int64), np.zeros((2, samples, rows))
    arrays = [values.contiguous().numpy() for values in (g, h, prior, uniform)]
    run, at_once = kernel(), max(1, WORK // h.shape[1] ** 2)

    def some(start: int) -> None:
        run(*arrays, types, logarithms, start, min(start + at_once, rows))

    starts = range(0, rows, at_once)
    threads = min(torch.get_num_threads(), len(starts))
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(some, starts))
    else:
        for start in starts:
            some(start)
    return torch.from_numpy(types), *torch.from_numpy(logarithms)


@cache
def kernel() -> Callable[..., None]:
    """The compiled loop; it is compiled when it is first called."""
    from bouncegrad.data.compiling import compiled  # here, so that other searches do not load the compiler

    return compiled(draw_rows)


def draw_rows(g, h, prior, uniform, types, logarithms, first, last):  # type: ignore[no-untyped-def]  # compiled
    """Steps 1 to 3 of `joint_draws.py` for the rows from `first` to `last`."""
    samples, degree, k = uniform.shape[0], prior.shape[1], prior.shape[2]
    d = k - 1
    n = degree * d
    mean, density, known = np.empty((samples, n)), np.empty(samples), np.empty(samples)
    one_over, logits, left = np.empty((degree, k)), np.empty(k), np.empty(degree, np.bool_)
    panel, variance, own = np.empty((PANEL + d, n)), np.empty(n), np.empty((d, d))
    for r in range(first, last):
        # The precision of a prior with probabilities p is diag(1 / p) + 1 / p_0, and times its mean it is 1 / p_0.
        precision, right = g[r].copy(), h[r].copy()
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
        for s in range(samples):
            mean[s] = start
            density[s] = 0.0
            known[s] = 0.0
        for j in range(n):
            variance[j] = covariance[j, j]
        left[:] = True
        filled = 0  # edges that are drawn since the covariance was conditioned on all edges before them
        for _ in range(degree):
            edge, least = 0, np.inf
            for e in range(degree):
                if left[e]:
                    value = 0.0
                    for a in range(d):
                        value += variance[e * d + a]
                    if value < least:
                        edge, least = e, value
            left[edge] = False
            at = edge * d
            for a in range(d):
                for c in range(d):
                    own[a, c] = covariance[at + a, at + c]
                    for p in range(filled):
                        own[a, c] -= panel[p, at + a] * panel[p, at + c]
                # Given all other edges the variance is 1 / precision, so that less is an error of rounding.
                own[a, a] = max(own[a, a], 1.0 / precision[at + a, at + a])
            if d == 1:
                inverse = np.full((1, 1), 1.0 / own[0, 0])
            else:
                inverse = np.linalg.inv(own)
            for s in range(samples):
                highest = logits[0] = prior[r, edge, 0]
                for a in range(d):
                    value = -one_over[edge, 0]
                    for c in range(d):
                        value += inverse[a, c] * mean[s, at + c]
                    cavity = inverse[a, a] - one_over[edge, 0] - one_over[edge, a + 1]
                    logits[a + 1] = value - cavity / 2 + prior[r, edge, a + 1]
                    highest = max(highest, logits[a + 1])
                total = 0.0
                for t in range(k):
                    logits[t] = np.exp(logits[t] - highest)
                    total += logits[t]
                chosen, below = 0, logits[0]
                while chosen < d and below <= uniform[s, r, edge] * total:
                    chosen += 1
                    below += logits[chosen]
                types[s, r, edge] = chosen
                density[s] += np.log(logits[chosen] / total)
                known[s] += prior[r, edge, chosen]
            for a in range(d):
                row = panel[filled]
                row[:] = covariance[at + a]
                for p in range(filled):
                    by = panel[p, at + a]
                    for j in range(n):
                        row[j] -= by * panel[p, j]
                scale = 1.0 / np.sqrt(max(row[at + a], 1.0 / precision[at + a, at + a]))
                for j in range(n):
                    row[j] *= scale
                    variance[j] -= row[j] * row[j]
                for s in range(samples):
                    push = ((1.0 if types[s, r, edge] == a + 1 else 0.0) - mean[s, at + a]) * scale
                    for j in range(n):
                        mean[s, j] += row[j] * push
                filled += 1
            if filled >= PANEL:
                for e in range(degree):
                    if left[e]:
                        for a in range(d):
                            row = covariance[e * d + a]
                            for p in range(filled):
                                by = panel[p, e * d + a]
                                for j in range(n):
                                    row[j] -= by * panel[p, j]
                filled = 0
        for s in range(samples):
            loss = 0.0
            for e in range(degree):
                if types[s, r, e]:
                    j = e * d + types[s, r, e] - 1
                    loss -= h[r, j]
                    for other in range(degree):
                        if types[s, r, other]:
                            loss += g[r, j, other * d + types[s, r, other] - 1] / 2
            logarithms[0, s, r], logarithms[1, s, r] = known[s] - loss - density[s], density[s]
