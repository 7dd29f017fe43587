"""Where recordings look wrong: which states `inspect` warns of, so that they can be drawn."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from bouncegrad.data import motion
from bouncegrad.data.exchanges import exchanges
from bouncegrad.data.trajectories import Trajectories

Doubts = dict[str, Bool[np.ndarray, "M T N"]]


def doubts_of(data: Trajectories) -> Doubts:
    """Returns for each kind of fault the states that it is found in; kinds that are not found are left out.

    A fault in a step is at the frame that the step leads to.
    """
    places = motion.places_of(data)
    if places is None:
        return {}
    lost = motion.lost_states(places)
    places = motion.measured(places.names, np.where(lost[..., None], np.nan, places.values), places.periods)
    walls = motion.wrapping_features(places)
    across = np.zeros(places.step.shape, bool)
    for name, size in walls.items():
        across |= motion.crossings(places, name, size)
    exchanged = np.zeros(lost.shape, bool)
    for found in exchanges(data) if not walls else ():
        exchanged[found.task, found.frame, [found.one, found.other]] = True
    begins = motion.resting(places)
    still = begins.copy()
    for later in range(1, min(motion.STILL, still.shape[1])):
        still[:, later:] |= begins[:, :-later]
    copies = np.repeat(motion.copies_of(places)[:, :, None], lost.shape[2], axis=2)
    jump = np.nan_to_num(places.step) > motion.LEAP * places.usual
    kinds = {
        "may be lost": lost,
        "wraps": _arriving(across),
        "exchanged": exchanged,
        "does not move": _arriving(still),
        "copy of the frame before": _arriving(copies),
        "jumps": _arriving(jump & ~across) & ~exchanged,
    }
    return {name: states for name, states in kinds.items() if states.any()}


def _arriving(steps: Bool[np.ndarray, "M T-1 N"]) -> Bool[np.ndarray, "M T N"]:
    """Returns the states that steps lead to."""
    return np.concatenate([np.zeros_like(steps[:, :1]), steps], axis=1)
