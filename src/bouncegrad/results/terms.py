"""The terms that a law of motion may be made of, and which of them a form of law allows.

    change of a target ~ 1 + own past + some of: states of all entities, their previous states, products of states

All targets share one table of terms, so that their mean products are computed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from bouncegrad.results.frame_pairs import OwnPast, Pairs, monomials

LAGS = 4  # previous frames of sources
DEGREE = 3  # of own monomials
MOST_PRODUCTS = 500  # with more products of two features, none is offered
STATE, PREVIOUS, CHANGE, MONOMIAL, PRODUCT, TIME = range(6)  # kinds of terms


class Form(NamedTuple):
    """A form of law: which terms may be taken.

    Args:
        lags: whether previous frames may be used: of the target, by its own past, and of all sources.
        products: of two features: 0: none between entities; 1: of the target and a source; 2: of any two entities.
    """

    lags: bool
    products: int


FORMS = tuple(Form(lags, products) for lags in (False, True) for products in (0, 1, 2))


@dataclass(frozen=True, eq=False)
class Terms:
    """A table of terms.

    Args:
        values: of each row and term.
        of: the entities that a term is made of.
        kind: of each term.
        order: lag of a previous state or change; degree of a monomial; power of time; else 0.
    """

    values: Float[np.ndarray, "rows L"]
    of: Bool[np.ndarray, "L N"]
    kind: Int[np.ndarray, " L"]
    order: Int[np.ndarray, " L"]

    def own(self, target: int, past: OwnPast, form: Form) -> Bool[np.ndarray, " L"]:
        """Returns the terms of a target's own past."""
        alone = self.of[:, target] & (self.of.sum(1) == 1)
        found = alone & (self.kind == STATE)
        found |= alone & (self.kind == MONOMIAL) & (self.order <= past.degree)
        if form.lags:
            found |= alone & (self.kind == CHANGE) & (self.order <= past.lags)
        return found | ((self.kind == TIME) & (self.order <= past.trend))

    def allowed(self, target: int, form: Form) -> Bool[np.ndarray, " L"]:
        """Returns the terms that a form of law may take beside the own past."""
        its_own = self.of[:, target]
        found = (self.kind == STATE) | ((self.kind == MONOMIAL) & its_own)
        if form.lags:
            found |= self.kind == PREVIOUS
        if form.products:
            found |= (self.kind == PRODUCT) & (its_own | (form.products == 2))
        if form.products == 2:
            found |= (self.kind == MONOMIAL) & (self.order == 2)
        return found


def terms_of(pairs: Pairs, past: OwnPast) -> Terms:
    """Returns all terms of the rows. Products between entities are left out if there would be very many.

    Args:
        pairs: the rows.
        past: the own past of targets; it says how many of their previous changes are needed.
    """
    rows, (n, f) = len(pairs), pairs.states.shape[2:]
    z = (pairs.states - pairs.middle) / pairs.scale
    lags = min(pairs.lags, LAGS)
    parts: list[tuple[Float[np.ndarray, "rows P"], list[int], int, int]] = []  # values, entities, kind, order
    for entity in range(n):
        own = z[:, 0, entity]
        parts.append((own, [entity], STATE, 0))
        parts += [(monomials(own, degree, degree), [entity], MONOMIAL, degree) for degree in range(2, DEGREE + 1)]
        parts += [(z[:, lag, entity], [entity], PREVIOUS, lag) for lag in range(1, lags + 1)]
        parts += [(pairs.before[:, lag - 1, entity], [entity], CHANGE, lag) for lag in range(1, past.lags + 1)]
    if n * f * (n * f + 1) // 2 <= MOST_PRODUCTS:
        for a, b in combinations(range(n), 2):
            products = z[:, 0, a, :, None] * z[:, 0, b, None, :]
            parts.append((products.reshape(rows, -1), [a, b], PRODUCT, 0))
    parts += [(pairs.clock[:, None] ** power, [], TIME, power) for power in range(1, past.trend + 1)]
    widths = [part[0].shape[1] for part in parts]
    of = np.zeros((len(parts), n), bool)
    for i, (_, entities, _, _) in enumerate(parts):
        of[i, entities] = True
    kind, order = np.array([part[2:] for part in parts]).T
    return Terms(
        np.concatenate([part[0] for part in parts], 1),
        np.repeat(of, widths, 0),
        np.repeat(kind, widths),
        np.repeat(order, widths),
    )
