"""A particle filter with the learned law: it finds possible states of unseen entities, frame by frame.

    each particle has a state h of the unseen entities, and edges into them; for every frame
        weight  <-  Π_targets Σ_fillings p(filling | frames so far) p(change of the target | filling, h)
        particles are drawn again, in proportion to their weights
        h       ~   the law's change with the edges of the particle

Edges into visible entities are not drawn. Instead a particle holds the probability of every filling of these edges, so
it represents all structures at once. Fillings that are improbable for all particles are left out in later frames.

Source: Gordon, Salmond and Smith 1993 (the filter); Doucet, de Freitas, Murphy and Russell 2000 (what is summed over).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.inference import infer
from bouncegrad.core.structures import fillings, outer_sum

IMPOSSIBLE = -1e30  # log-weight of a particle with a state that is not finite any more


@dataclass(frozen=True)
class Particles:
    """How many particles and fillings a filter has.

    Args:
        count: particles of one task.
        first: particles in the first frame. Their number is halved in every frame down to `count`, because the first
            frames determine velocities badly.
        fillings: the edges from visible entities into one visible entity have at most so many fillings; if more are
            possible, they are sampled.
        improbable: a filling with a smaller mean probability over all particles is left out in later frames.
        numbers: numbers in all tables together, at most; if there are many entities, there are fewer particles.
        rows_at_once: rows that stay in the cache of a processor.
    """

    count: int = 4000
    first: int = 32000
    fillings: int = 64
    improbable: float = 1e-5
    numbers: int = 2**23
    rows_at_once: int = 2**15


class ParticleFilter:
    """Particles of one task; every `step` moves them one frame on.

    Args:
        composition: trained modules on all N = V + H entities, without lags; its slack widens the variances.
        visible: scaled states of the V entities that were recorded.
        generator: draws the first states and everything else.
        settings: how many particles and fillings there are.
    """

    def __init__(
        self,
        composition: GraphComposition,
        visible: Float[Tensor, "T V D"],
        generator: torch.Generator,
        settings: Particles = Particles(),
    ) -> None:
        self.settings = settings
        self.composition, self.visible, self.generator = composition, visible, generator
        n, v, k, device = composition.entities, visible.shape[1], composition.choices, visible.device
        self.unseen = n - v
        source, target = composition.pairs
        self.outwards = composition.on(n, composition.pairs[:, (source >= v) & (target < v)])
        self.inwards = composition.on(n, composition.pairs[:, target >= v])
        self.change = (visible[1:] - visible[:-1]) / composition.change
        known, unknown = self._visible_fillings(), k**self.unseen
        self.sums, self.known = self._sums(known), known
        # A filling holds the edges from visible entities, then those from unseen ones.
        self.of_visible = torch.arange(known.shape[1], device=device).repeat_interleave(unknown)
        self.of_unseen = torch.arange(unknown, device=device).repeat(known.shape[1])
        table_shape = (v, len(self.of_visible))
        self.targets, self.fillings = torch.ones(table_shape, device=device).nonzero().T  # those still in use
        self.most = max(1, settings.numbers // len(self.targets))
        first = min(settings.first, self.most)
        shape = (first, self.unseen, visible.shape[2])
        states = torch.randn(shape, generator=generator, device=generator.device)
        if composition.view.periodic:  # an unseen entity may be anywhere in the box
            across = torch.rand(*shape[:2], len(composition.view.periodic), generator=generator, device=device)
            states[..., composition.view.periodic] = across * composition.view.box
        self.states = [states]
        self.ancestors = [torch.arange(first, device=device)]
        self.into = torch.randint(k, (first, self.inwards.slots), generator=generator, device=generator.device)
        # The log-probability of every filling of the edges into every visible entity.
        self.table = torch.zeros(first, *table_shape, device=device)

    def _visible_fillings(self) -> Int[Tensor, "V F V-1"]:
        """Returns, for every visible entity, fillings of the edges from visible entities into it.

        These are all fillings, or draws from the edge probabilities that are inferred from visible entities alone.
        """
        v, k = self.visible.shape[1], self.composition.choices
        count = max(1, self.settings.fillings // k**self.unseen)
        if k ** (v - 1) <= count:
            return fillings(k, v - 1, self.visible.device).expand(v, -1, -1)
        alone = self.composition.on(v)
        probability = infer(alone, self.visible[None]).probability[0]
        drawn = torch.multinomial(probability, count, replacement=True, generator=self.generator)
        drawn[:, 0] = probability.argmax(-1)
        return drawn[alone.groups].transpose(1, 2)

    def _sums(self, known: Int[Tensor, "V F V-1"]) -> Float[Tensor, "T V F hidden"]:
        """Returns, for each visible entity and filling, the sum in the node module's first layer over visible ones."""
        alone = self.composition.on(self.visible.shape[1])
        projected = alone.projected(alone.all_messages(self.visible[:, None]))
        sums = alone.own_projected(alone.own(self.visible))[:, :, None]
        for column, slots in enumerate(alone.groups.T):
            sums = sums + projected[:, slots[:, None], known[:, :, column]]
        return sums

    def step(self, t: int) -> None:
        """Moves the particles from frame t to the next one."""
        h, composition = self.states[-1], self.composition
        x = torch.cat([self.visible[t].expand(len(h), -1, -1), h], 1)[:, None]
        projected = self.outwards.projected(self.outwards.all_messages(x))
        projected = projected.view(len(h), self.visible.shape[1], self.unseen, *projected.shape[2:])
        sent = outer_sum(list(projected.unbind(2)), torch.zeros_like(projected[:, :, 0, 0]))
        known = self.sums[t][self.targets, self.of_visible[self.fillings]]
        likelihood = [
            self._likelihood(known + part[:, self.targets, self.of_unseen[self.fillings]], t)
            for part in sent.split(max(1, self.settings.rows_at_once // len(self.targets)))
        ]
        table = torch.full_like(self.table, -torch.inf)
        table[:, self.targets, self.fillings] = self.table[:, self.targets, self.fillings] + torch.cat(likelihood)
        explained = table.logsumexp(2, keepdim=True)
        count = max(self.settings.count, self.settings.first >> (t + 1))
        chosen = self._drawn(explained.sum((1, 2)), min(self.most, count))
        arriving = self.inwards.projected(self.inwards.all_messages(x[chosen]))
        self.table, self.into = (table - explained)[chosen], self.into[chosen]
        arriving = arriving.gather(2, self.into[..., None, None].expand(*self.into.shape, 1, arriving.shape[-1]))
        own = composition.own_projected(composition.own(h[chosen]))
        mean, log_variance = composition.from_sums(arriving.view(*own.shape[:2], -1, own.shape[-1]).sum(2) + own)
        noise = torch.randn(mean.shape, generator=self.generator, device=self.generator.device)
        self.states.append(h[chosen] + composition.change * (mean + torch.exp(log_variance / 2) * noise))
        self.ancestors.append(chosen)
        self._leave_out()

    def _likelihood(self, sums: Float[Tensor, "P probable hidden"], t: int) -> Float[Tensor, "P probable"]:
        mean, log_variance = self.composition.from_sums(sums)
        return -self.composition.head.loss(self.change[t][self.targets] - mean, log_variance).sum(-1)

    def _drawn(self, logits: Float[Tensor, " P"], count: int) -> Int[Tensor, " count"]:
        """Returns particles drawn by systematic resampling; those with weights that are not finite are never drawn."""
        until = torch.softmax(logits.double().nan_to_num(nan=IMPOSSIBLE, neginf=IMPOSSIBLE), 0).cumsum(0)
        offset = torch.rand(1, generator=self.generator, dtype=torch.float64, device=self.generator.device)
        even = (torch.arange(count, device=logits.device) + offset) / count
        return torch.searchsorted(until, even * until[-1]).clamp(max=len(until) - 1)

    def _leave_out(self) -> None:
        """Leaves out fillings that have a small mean probability over all particles."""
        share = torch.softmax(self.table, 2).mean(0)
        self.targets, self.fillings = (share > self.settings.improbable).nonzero().T

    def paths(self, count: int) -> tuple[Float[Tensor, "count T H D"], Int[Tensor, "count E"]]:
        """Returns the tracks of `count` particles through all frames, and their most probable structures."""
        last = torch.linspace(0, len(self.table) - 1, count, device=self.table.device).long()
        at, track = last, []
        for states, ancestors in zip(reversed(self.states), reversed(self.ancestors), strict=True):
            track.append(states[at])
            at = ancestors[at]
        return torch.stack(track[::-1], 1), self._structures(last)

    def _structures(self, rows: Int[Tensor, " count"]) -> Int[Tensor, "count E"]:
        v, h = self.visible.shape[1], self.unseen
        best = self.table[rows].argmax(2)
        types = fillings(self.composition.choices, h, rows.device)[self.of_unseen[best]]
        every = torch.arange(v, device=rows.device)
        into_visible = torch.cat([self.known[every, self.of_visible[best]], types], -1)
        return torch.cat([into_visible.flatten(1), self.into[rows]], 1)


def first_explanations(
    composition: GraphComposition,
    visible: Float[Tensor, "M T V D"],
    trials: int,
    seed: int,
    settings: Particles = Particles(),
    report: Callable[[float], None] = lambda share: None,
) -> tuple[Float[Tensor, "M*trials T H D"], Int[Tensor, "M*trials E"]]:
    """Returns first tracks of unseen entities, and structures; those of a task do not depend on the other tasks."""
    found = []
    for number, task in enumerate(visible):
        particles = ParticleFilter(composition, task, torch.Generator(visible.device).manual_seed(seed), settings)
        for t in range(len(task) - 1):
            particles.step(t)
            report((number + (t + 1) / len(task)) / len(visible))
        found.append(particles.paths(trials))
    tracks, z = zip(*found, strict=True)
    return torch.cat(tracks), torch.cat(z)
