"""The drift of the energy in forecasts of simulated systems whose force is known and keeps the energy.

    E = Σ_i v_i² / 2 + Σ_{i<j} U_k(r_ij),     U_k(r) = - ∫ F_k dr           all masses are 1, k: the true type of a pair
    drift at h = mean over tasks |E_h - E_0| / mean kinetic energy at the start

The forecast is not damped, since a damped one is a mean over futures, which has less energy than each of them.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.core.compositions.damped import undamped
from bouncegrad.data.errors import InputError
from bouncegrad.data.simulate.systems import SYSTEMS
from bouncegrad.data.trajectories import POSITIONS, Trajectories
from bouncegrad.models.forecasts import roll_out, start_of
from bouncegrad.models.laws import true_law
from bouncegrad.models.model import Model
from bouncegrad.models.protocols import Plan
from bouncegrad.results.law import Force
from bouncegrad.results.result import Result

NEAREST, POINTS = 0.05, 4000  # distance below which a potential is constant, and points of its table


def energy_drift(
    model: Model, data: Trajectories, planned: Plan, result: Result, system: str | None = None
) -> dict[str, Float[np.ndarray, " S"]]:
    """Returns the drift by horizon of the forecast and of the recording; empty for systems without a known energy.

    The recording's own drift is not zero: frames lie between steps of the simulation, and its largest force is limited.

    Args:
        model: the trained model.
        data: tasks of `simulate` with their true edges, which must act alike in both directions.
        planned: the plan of the protocol, with one start at the end of the context.
        result: structures inferred from `planned.context` frames.
        system: name of the simulated system; None: that of `data.source`, if it was simulated in this process.

    Raises:
        InputError: the system has no known force.
    """
    forces, places = (
        true_law(data.source if system is None else f"simulate {system}"),
        [name for name in POSITIONS if name in data.features],
    )
    moving = places and all(f"v{name}" in data.features for name in places)
    start, steps = planned.context - 1, planned.steps
    if forces is None and system is not None:
        known = ", ".join(name for name, of in SYSTEMS.items() if of.force is not None)
        raise InputError(f"option system: {system!r} has no known energy; choose one of {known}")
    if forces is None or data.edges is None or not moving or planned.starts != (start,) or steps < 1:
        return {}
    if model.forecaster is None or data.mask is not None or (data.edges != data.edges.swapaxes(1, 2)).any():
        return {}
    where = [data.features.index(name) for name in places], [data.features.index(f"v{name}") for name in places]
    begin = start_of(model, data.frames(0, planned.context), result)
    table = begin.forecaster.damping
    begin = begin._replace(forecaster=begin.forecaster.damped_by(undamped(len(table), table.shape[1], table.device)))
    paths = {"forecast": roll_out(model, begin, steps)[:, 0], "recording": data.x[:, start + 1 : start + 1 + steps]}
    first = np.asarray(data.x[:, start : start + 1], np.float64)
    kinetic = np.square(first[..., where[1]]).sum((-1, -2)).mean() / 2
    before = energy(first, data.edges, forces, where)
    found = {}
    for name, path in paths.items():
        after = energy(np.asarray(path, np.float64), data.edges, forces, where)
        found[name] = np.abs(after - before).mean(0) / max(kinetic, 1e-300)
    return found


def energy(
    x: Float[np.ndarray, "M S N D"],
    edges: Int[np.ndarray, "M N N"],
    forces: tuple[Force, ...],
    where: tuple[list[int], list[int]],
) -> Float[np.ndarray, "M S"]:
    """Returns the energy of each frame.

    Args:
        x: states.
        edges: true types, the same in both directions.
        forces: the force of each type; a positive force pushes apart.
        where: indices of the positions and of the velocities.
    """
    place, speed = (x[..., indices] for indices in where)
    one, other = np.triu_indices(x.shape[2], 1)
    distance = np.maximum(np.linalg.norm(place[:, :, one] - place[:, :, other], axis=-1), NEAREST)
    r = np.geomspace(NEAREST, max(float(distance.max()), 2 * NEAREST), POINTS)
    total = np.square(speed).sum((-1, -2)) / 2
    for k, force in enumerate(forces):
        values = force(r)
        work = np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2 * np.diff(r))])
        total += np.where((edges[:, one, other] == k)[:, None], -np.interp(distance, r, work), 0.0).sum(-1)
    return total
