"""Slots that joint draws fill together: which slots are one variable, and which variables form one unit.

    independent    a unit for each group, with a variable for each of its slots
    symmetric      one unit for the whole graph, with a variable for each unordered pair: both of its directions

A unit is drawn at once, given nothing; units are independent of each other. A variable with several slots gives all of
them the same type. The quadratic form of a unit is the sum of the forms of the groups that its slots belong to.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from bouncegrad.core.couplings import Independent, Symmetric
from bouncegrad.core.priors import Prior
from bouncegrad.core.seams import Composition, Coupling, Quadratic, Relational

Slots = Int[Tensor, "U V copies"]
"""The slots of V variables of each of U units, padded with S."""


def tied_slots(coupling: Coupling, composition: Composition) -> Slots:
    """Returns the slots of all variables.

    Raises:
        TypeError: joint draws do not know this coupling.
    """
    if isinstance(coupling, Independent):
        return composition.groups[..., None]
    if isinstance(coupling, Symmetric) and isinstance(composition, Relational):
        source, target = composition.pairs
        number = source.new_full((composition.entities, composition.entities), composition.slots)
        number[source, target] = torch.arange(composition.slots, device=source.device)
        first, second = torch.triu_indices(composition.entities, composition.entities, 1, device=source.device)
        return torch.stack([number[first, second], number[second, first]], -1)[None]
    raise TypeError(f"joint draws do not know the coupling {type(coupling).__name__}")


def tied_form(form: Quadratic, slots: Slots, groups: Int[Tensor, "G degree"]) -> Quadratic:
    """Returns the quadratic forms of the units, from those of the groups."""
    if slots.shape[2] == 1:
        return form
    tasks, types, variables = len(form.h), form.h.shape[2] // groups.shape[1], slots.shape[1]
    variable = groups.new_zeros(int(slots.max()) + 1)
    variable[slots[0]] = torch.arange(variables, device=groups.device)[:, None]
    g = form.g.new_zeros(tasks, variables * types, variables * types)
    h = form.h.new_zeros(tasks, variables * types)
    for group, own in enumerate(variable[groups]):
        at = (own[:, None] * types + torch.arange(types, device=groups.device)).flatten()
        g[:, at[:, None], at] += form.g[:, group]
        h[:, at] += form.h[:, group]
    return Quadratic(g[:, None], h[:, None], tied_loss(form.loss, slots))


def tied_loss(loss: Float[Tensor, "B G *draws"], slots: Slots) -> Float[Tensor, "B U *draws"]:
    """Returns the losses of the units, from those of the groups."""
    return loss if slots.shape[2] == 1 else loss.sum(1, keepdim=True)


def tied_prior(prior: Prior | None, slots: Slots, choices: int) -> Float[Tensor, "M U V K"]:
    """Returns the log-probabilities of the types of every variable; slots that do not exist are even."""
    if prior is None:
        return torch.full((1, *slots.shape[:2], choices), -math.log(choices), dtype=torch.float64, device=slots.device)
    of_slot = F.pad(prior.double().log_softmax(-1), (0, 0, 0, 1), value=-math.log(choices))
    return of_slot[:, slots].sum(3).log_softmax(-1)


def spread(values: Tensor, whole: Tensor, slots: Slots) -> Tensor:
    """Returns `whole` with the values of each variable, `[B, U, V, ...]`, at the places of its slots, `[B, S, ...]`."""
    padded = torch.cat([whole, whole[:, :1]], 1)
    for copy in slots.unbind(-1):
        padded[:, copy.flatten()] = values.flatten(1, 2).to(whole.dtype)
    return padded[:, :-1]


def types_of(z: Int[Tensor, "B S"], slots: Slots) -> Int[Tensor, "B U V"]:
    """Returns the types that the variables have in these structures, read from their first slots."""
    return F.pad(z, (0, 1))[:, slots[..., 0]]
