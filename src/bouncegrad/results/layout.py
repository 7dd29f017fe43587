"""Places of many entities in a drawing: a disc for each community; in it, distances follow the paths along edges."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.results.communities import PRESENT, Arrangement, connected

STEPS = 200  # places hardly change afterwards
SPACE = 1.2  # smallest distance of two entities; entities that fill a disc evenly have one of about 1.8
FILLED = 1.5  # radius of a disc in units of the root mean square distance from its middle; 1.4 if evenly filled
EDGE = 0.6  # from the outermost entities to the border of a disc
GAP = 0.4  # between two discs
ROW = 1.5  # distance of two entities in a row
GOLDEN = np.pi * (3 - np.sqrt(5))  # the angle by which points on a spiral are spread evenly


class Layout(NamedTuple):
    """Places in the square from -1 to 1.

    Args:
        places: the middle of each entity.
        centres: the middle of the disc of each community.
        radii: the radius of the disc of each community.
        unit: the length in which a disc of N entities has the radius sqrt(N).
    """

    places: Float[np.ndarray, "N 2"]
    centres: Float[np.ndarray, "C 2"]
    radii: Float[np.ndarray, " C"]
    unit: float


def layout(weight: Float[np.ndarray, "N N"], arrangement: Arrangement) -> Layout:
    """Returns places at which neighbours in the graph are near each other, and communities do not overlap.

    Within a community, the distance of two entities is close to the number of edges on the shortest path between them
    (least squares of relative errors, known as stress). Each disc is turned so that edges to other communities are
    short. Entities without edges are in rows below. The result does not depend on random numbers.

    Args:
        weight: weights of the edges in [0, 1], `[source, target]`; both directions count alike.
        arrangement: the communities of the entities.
    """
    from scipy.sparse.csgraph import shortest_path  # slow to load, and needed only here

    both = np.maximum(weight, weight.T) >= PRESENT
    steps = shortest_path(both, unweighted=True)
    steps = np.where(np.isfinite(steps), steps, steps[np.isfinite(steps)].max() + 1)
    there = connected(weight) & (arrangement.community >= 0)
    groups = [group for group in arrangement.among(np.flatnonzero(there)) if len(group)]
    radii = np.sqrt([float(len(group)) for group in groups])
    centres = _around(radii + EDGE)
    places = np.zeros((len(weight), 2))
    for group, centre, radius in zip(groups, centres, radii, strict=True):
        inner = _embedded(steps[np.ix_(group, group)])
        away = np.linalg.norm(inner, axis=1)
        size = min(FILLED * float(np.sqrt(np.square(away).mean())), float(away.max()))
        places[group] = centre + _spread(inner * radius / max(size, 1e-9), radius)
    for group, centre in zip(groups, centres, strict=True):
        outer = np.setdiff1d(np.flatnonzero(there), group)
        toward = both[np.ix_(group, outer)] @ (places[outer] - centre)
        places[group] = centre + _turned(places[group] - centre, toward)
    _below(places, np.flatnonzero(~there), np.flatnonzero(there))
    return _in_square(places, centres, radii + EDGE)


def _around(radii: Float[np.ndarray, " C"]) -> Float[np.ndarray, "C 2"]:
    """Returns the middles of discs side by side on a circle, clockwise, with the first on top; of two, at the left."""
    if len(radii) < 2:
        return np.zeros((len(radii), 2))
    apart = radii + np.roll(radii, -1) + GAP
    low, high = apart.max() / 2, apart.sum()
    for _ in range(60):  # bisection of the radius of the circle; the discs must go once around it
        middle = (low + high) / 2
        low, high = (middle, high) if np.arcsin(apart / (2 * middle)).sum() > np.pi else (low, middle)
    first = -np.pi / 4 if len(radii) == 2 else 0.0  # in a square, the diagonal has the most room
    angle = first + np.concatenate([[0.0], 2 * np.arcsin(np.minimum(apart / (2 * high), 1.0)).cumsum()[:-1]])
    return high * np.stack([np.sin(angle), np.cos(angle)], axis=1)


def _embedded(steps: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n 2"]:
    """Returns points in the plane whose distances are close to the given ones (stress majorization).

    The sum of `(distance - steps)^2 / steps^2` decreases in each step; the first points are those of classical scaling.
    """
    n = len(steps)
    middle = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-middle @ np.square(steps) @ middle / 2)
    # The small spiral keeps points apart that classical scaling puts at the same place.
    angle, away = GOLDEN * np.arange(n), 0.1 * np.sqrt(np.arange(n) + 0.5)
    points = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0.0)) if n > 1 else np.zeros((n, 2))
    points = points + away[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    stiff = 1 / np.square(np.where(steps > 0, steps, np.inf))
    inverse = np.linalg.pinv(np.diag(stiff.sum(1)) - stiff)
    for _ in range(STEPS):
        _, distance = _apart(points)
        pull = stiff * steps / distance
        points = inverse @ ((np.diag(pull.sum(1)) - pull) @ points)
    return points - points.mean(0)


def _apart(places: Float[np.ndarray, "n 2"]) -> tuple[Float[np.ndarray, "n n 2"], Float[np.ndarray, "n n"]]:
    """Returns the direction from each entity (second axis) to each other one (first axis), and their distance."""
    offset = places[:, None] - places
    distance = np.maximum(np.linalg.norm(offset, axis=-1), 1e-9)
    return offset / distance[..., None], distance


def _spread(places: Float[np.ndarray, "n 2"], radius: float) -> Float[np.ndarray, "n 2"]:
    """Moves entities into a disc around 0, and apart from each other where they are too close."""
    for _ in range(STEPS):
        away = np.linalg.norm(places, axis=1, keepdims=True)
        places = places * np.minimum(1.0, radius / np.maximum(away, 1e-9))
        direction, distance = _apart(places)
        short = np.maximum(SPACE - distance, 0.0) * ~np.eye(len(places), dtype=bool)
        if not short.any():
            break
        places = places + 0.5 * (direction * short[..., None]).sum(1)
    return places


def _turned(places: Float[np.ndarray, "n 2"], toward: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Turns and mirrors points around 0 so that they lie in the directions `toward`, as far as possible."""
    left, _, right = np.linalg.svd(places.T @ toward)
    return places @ (left @ right)


def _below(places: Float[np.ndarray, "N 2"], alone: Int[np.ndarray, " A"], there: Int[np.ndarray, " n"]) -> None:
    """Places entities without edges in rows below the others."""
    low, high = (places[there].min(0), places[there].max(0)) if len(there) else (np.zeros(2), np.zeros(2))
    columns = max(int((high[0] - low[0]) / ROW) + 1, int(np.ceil(np.sqrt(len(alone)))))
    left = (low[0] + high[0] - ROW * (min(columns, len(alone)) - 1)) / 2
    for number, entity in enumerate(alone):
        places[entity] = left + ROW * (number % columns), low[1] - ROW * (1.5 + number // columns)


def _in_square(
    places: Float[np.ndarray, "N 2"], centres: Float[np.ndarray, "C 2"], radii: Float[np.ndarray, " C"]
) -> Layout:
    """Moves and scales all places so that entities and discs fit into the square from -1 to 1."""
    low = np.min([*(places - EDGE), *(centres - radii[:, None])], axis=0)
    high = np.max([*(places + EDGE), *(centres + radii[:, None])], axis=0)
    scale, middle = 2 / (high - low).max(), (low + high) / 2
    return Layout((places - middle) * scale, (centres - middle) * scale, radii * scale, float(scale))
