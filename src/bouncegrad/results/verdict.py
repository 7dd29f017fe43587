"""The verdict: does anything predict held-out frames better than doing without interaction, and what?

    interaction    the learned modules predict better than every rival
    regression     a linear regression predicts better than each entity's own past, and the modules are not better than
                   every rival
    weak           something predicts better, but not surely; or one law for all pairs surely does, and no graph surely
                   better than that
    nothing        nothing predicts better than each entity's own past

Losses are compared over blocks of held-out frames, see `blocks.py`. A difference is sure above three standard errors.
Only `interaction` means that the inferred graph may be read. No true edges are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from bouncegrad.results.blocks import paired_z

MODULES, OWN_PAST, ALONE = "learned modules", "own past", "modules without edges"
ONE_KIND, REGRESSION = "one kind of pair", "linear regression"
NULLS = (OWN_PAST, ALONE, ONE_KIND)  # rivals without a graph
SURE, HINT = 3.0, 1.0  # standard errors
KINDS = ("interaction", "regression", "weak", "nothing")


@dataclass(frozen=True)
class Rival:
    """One of those that were compared.

    Args:
        name: what predicts.
        error: mean loss on held-out frames, in nats per number, in units of a typical change.
        z: how much better the learned modules are, in standard errors; negative if they are worse.
    """

    name: str
    error: float
    z: float


@dataclass(frozen=True)
class Verdict:
    """What the held-out frames say.

    Args:
        kind: one of `KINDS`.
        rivals: all that were compared, the learned modules first.
        over_nothing: z of the modules over the best rival without a graph, or of the regression over the own past; if
            `alike`, of one law for all pairs over the other rivals without a graph.
        alike: whether one law for all pairs predicts surely better than none, and no graph surely better than that.
    """

    kind: str
    rivals: tuple[Rival, ...]
    over_nothing: float
    alike: bool = False

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        z, of = f"z = {self.over_nothing:.1f}", {rival.name: rival for rival in self.rivals}
        if self.kind == "interaction":
            least = min(rival.z for rival in self.rivals[1:])
            return (
                f"the learned modules predict held-out frames better than any rival (z = {least:.1f}): read the graph"
            )
        if self.kind == "regression":
            better = of[REGRESSION].z
            if better > SURE:
                how = f"predicts better than each entity's own past ({z}), and no modules are both surer and as exact"
            elif better < -SURE:
                how = f"predicts better (z = {-better:.1f})"
            else:
                how = f"predicts as well (z = {better:.1f})"
            return f"a linear regression {how}: its graph is the one to read, in regression_edges.csv"
        if self.alike:
            return (
                f"weak: one law for all pairs predicts held-out frames better than no interaction ({z}), but types of "
                "pairs do not surely predict better than it: something interacts, and its graph cannot be told"
            )
        if self.kind == "weak":
            return f"weak: held-out frames are predicted better than without interaction, but not surely ({z})"
        return "nothing predicts held-out frames better than each entity's own past: no interaction shown"

    def lines(self) -> list[str]:
        """Returns the rivals as a small table, and the sentence."""
        width = max(len(rival.name) for rival in self.rivals)
        rows = [f"{rival.name:<{width}}  {rival.error:14.3f}  {rival.z:9.1f}" for rival in self.rivals[1:]]
        first = f"{self.rivals[0].name:<{width}}  {self.rivals[0].error:14.3f}"
        return [f"{'':<{width}}  held-out error  z over it", first, *rows, self.sentence]

    def to_json(self) -> dict[str, Any]:
        """Returns plain values; `from_json` reads them."""
        return asdict(self) | {"rivals": [asdict(rival) for rival in self.rivals]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Verdict:
        """Returns the verdict that `to_json` described.

        Raises:
            ValueError: values are missing, or the kind is unknown.
        """
        try:
            rivals = tuple(Rival(str(r["name"]), float(r["error"]), float(r["z"])) for r in values["rivals"])
            alike = bool(values.get("alike", False))
            found = cls(str(values["kind"]), rivals, float(values["over_nothing"]), alike)
        except (KeyError, TypeError) as error:
            raise ValueError(f"verdict: {error}") from None
        if found.kind not in KINDS or not rivals:
            raise ValueError(f"verdict: unknown kind {found.kind!r}")
        return found


def decided(
    errors: Mapping[str, Float[np.ndarray, " blocks"]],
    over_own: float | None = None,
    squared: Mapping[str, Float[np.ndarray, " blocks"]] | None = None,
) -> Verdict:
    """Returns the verdict.

    Args:
        errors: mean loss in each block of held-out frames, for `MODULES`, for some of `NULLS`, and for `REGRESSION` if
            it could be fitted.
        over_own: z of the regression over the own past, where it is known more exactly; see `Judged.over_own`.
        squared: mean squared errors of `MODULES` and `REGRESSION`, if known. Modules know how exact each prediction is,
            and may have less loss for that reason alone. Their graph is not the one to read if they are surely less
            exact than the regression.
    """
    mean = {name: float(np.mean(values)) for name, values in errors.items()}
    null = min((name for name in NULLS if name in errors), key=mean.__getitem__)
    over = {name: float(paired_z(errors[null], values)) for name, values in errors.items() if name not in NULLS}
    if REGRESSION in over and OWN_PAST in errors:
        # Modules know how exact each prediction is, the regression does not. So like is held against like.
        own = float(paired_z(errors[OWN_PAST], errors[REGRESSION]))
        over[REGRESSION] = own if over_own is None else max(own, over_own)
    beats = {name: float(paired_z(values, errors[MODULES])) for name, values in errors.items() if name != MODULES}
    exact = squared is None or paired_z(squared[MODULES], squared[REGRESSION]) < SURE
    if over[MODULES] > SURE and beats.get(REGRESSION, np.inf) > SURE and exact:
        kind = "interaction"
    elif over.get(REGRESSION, 0.0) > SURE:
        kind = "regression"
    else:
        kind = "weak" if max(over.values()) > HINT else "nothing"
    together = over_others(errors) if kind in ("weak", "nothing") else 0.0
    if together > SURE:
        kind = "weak"
    rivals = [Rival(MODULES, mean[MODULES], 0.0)]
    rivals += [Rival(name, mean[name], beats[name]) for name in (*NULLS, REGRESSION) if name in beats]
    of_all = over[MODULES] if kind == "interaction" else max(over.values())
    return Verdict(kind, tuple(rivals), together if together > SURE else of_all, together > SURE)


def over_others(errors: Mapping[str, Float[np.ndarray, " blocks"]]) -> float:
    """Returns z of one law for all pairs over the best rival without interaction; 0 if it was not tried."""
    if ONE_KIND not in errors:
        return 0.0
    return min(float(paired_z(errors[name], errors[ONE_KIND])) for name in (OWN_PAST, ALONE) if name in errors)
