"""The forecaster: separate modules that roll out, once structures are known.

    x_{t+m/M} = x_{t+(m-1)/M} + change(Σ messages, x) / M           m = 1 ... M substeps of one frame
    loss      = mean_{h=1..R} capped(w (x̂_{t+h} - x_{t+h})²)  +  spread
    spread    = 0.683 max(u, 0) + 0.317 max(-u, 0),   u = log |error of one step| - log_variance / 2

The likelihood finds the graph because it tolerates rare close encounters, but these dominate the error of a forecast.
So forecasts have modules of their own, and learning to forecast cannot harm inference. Every module has a shortcut, see
`ModulePool`, by which the linear part of a law, as of springs, is learned nearly exactly.

The spread is a log-variance of every feature's change. It has the inputs of the forecast and gives them no gradient;
samples add noise of this size in every frame. It learns the width that contains 68.3 % of the errors, one standard
deviation of a normal distribution: errors have heavy tails, and a likelihood would follow the few largest errors.

With a region, see `confined.py`, no step changes a state by more than twice the largest change of training, and no
forecast runs away. In training, an error beyond the variance of a uniform distribution over the region counts
logarithmically. Structures stay the same in a rollout, so edges are sorted by module only once, see `routes.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from bouncegrad.core.batches import Batch
from bouncegrad.core.compositions.confined import FREE, Region, capped, limited
from bouncegrad.core.compositions.damped import damped, undamped
from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.compositions.routes import Routes, arriving_messages, routes_of
from bouncegrad.core.compositions.tamed import tamed
from bouncegrad.core.heads import bounded
from bouncegrad.core.marks import counted, mean_of
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.seams import Composition
from bouncegrad.data.errors import InputError

# Bounds, in units of a typical change. Wider noise would drive samples to states that the training data lack.
LOG_VARIANCE = (-24.0, 2.0)
WITHIN = 0.683  # share of errors within one standard deviation of a normal distribution
ADDED = ("largest", "room", "damping", "shortcut")  # what older runs lack
TINY = 1e-12  # keeps the logarithm of a zero error finite


class Forecaster(nn.Module):
    """Rolls out tracks from a state and a structure.

    Args:
        graph: modules that change a state.
        weight: weight of each feature's squared error, in scaled units.
        names: `Int[K]`, the type of `graph` for each inferred type; a pinned type sends nothing.
        spread_hidden: widths of the hidden layers of the spread. None: the second output of `graph` is the spread.
        generator: draws the spread's first weights.
        substeps: M.
        horizons: number of frames ahead for which intervals are widened and forecasts are damped, see `spread.py` and
            `damping.py`.

    Attributes:
        region: that forecasts stay near, see `confined.py`; None: they may go anywhere.
        largest: `Float[D]`, the largest change of each feature in training, in units of a typical change; infinite if
            it is not known.
        room: `Float[D]`, how far outside of the region states stay as they are, as a share of the region.
        widening: `Float[horizons, D]`.
        damping: `Float[horizons, D, 3]`.
    """

    weight: Tensor
    names: Tensor
    largest: Tensor
    room: Tensor
    widening: Tensor
    damping: Tensor

    def __init__(
        self,
        graph: GraphComposition,
        weight: Float[Tensor, " D"],
        names: Int[Tensor, " K"],
        spread_hidden: tuple[int, ...] | None,
        generator: torch.Generator,
        substeps: int = 1,
        horizons: int = 1,
    ) -> None:
        super().__init__()
        self.graph, self.substeps = graph, substeps
        self.region: Region | None = None
        self.limit: Float[Tensor, " D"] | None = None  # of one change; with a region it is finite
        self.spread: ModulePool | None = None
        if spread_hidden is not None:
            self.spread = ModulePool(
                graph.node.modules_count, (graph.node.sizes[0], *spread_hidden, graph.features), generator
            )
        self.register_buffer("weight", weight)
        self.register_buffer("names", names)
        self.register_buffer("largest", torch.full_like(weight, torch.inf))
        self.register_buffer("room", torch.full_like(weight, FREE))
        self.register_buffer("widening", torch.ones(horizons, graph.features, device=weight.device))
        self.register_buffer("damping", undamped(horizons, graph.features, weight.device))

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Restores what `state_dict` returned; older runs have fewer horizons, no damping, no bounds, no shortcuts."""
        added = {name: value for name, value in self.state_dict().items() if name.rpartition(".")[-1] in ADDED}
        state = added | dict(state_dict)
        rows = torch.arange(len(self.widening), device=state["widening"].device)
        state["widening"] = state["widening"][rows.clamp(max=len(state["widening"]) - 1)]
        return super().load_state_dict(state, *args, **kwargs)

    @torch.no_grad()
    def begin_from(self, trained: GraphComposition) -> None:
        """Copies the weights of the mean from trained modules of the same widths; a pinned type has no weights."""
        kept = [k for k in range(len(self.names)) if self.names[k] >= self.graph.pinned]
        modules = [k - trained.pinned for k in kept]
        for new, old in zip(self.graph.edge.layered, trained.edge.layered, strict=True):
            new.copy_(old[modules])
        for new, old in zip(self.graph.node.layered, trained.node.layered, strict=True):
            new.copy_(old[..., : new.shape[-1]])

    def on(
        self, entities: int, pairs: Int[Tensor, "2 E"] | None = None, kinds: Sequence[int] | None = None
    ) -> Forecaster:
        """Returns the same modules (shared, not copied) on other entities or pairs; by default kinds stay the same."""
        other = copy.copy(self)
        other._modules = self._modules | {"graph": self.graph.on(entities, pairs, kinds)}
        return other

    @property
    def slots(self) -> int:
        """E, the number of candidate pairs."""
        return self.graph.slots

    @property
    def choices(self) -> int:
        """K, the number of edge types."""
        return len(self.names)

    @property
    def groups(self) -> Int[Tensor, "N degree"]:
        """Edges into each entity."""
        return self.graph.groups

    def within(self, region: Region) -> Forecaster:
        """Returns the same modules (shared, not copied), with forecasts that stay near this region."""
        other, change = copy.copy(self), self.graph.change
        other.region = region = Region(region.low.to(change), region.high.to(change), self.room)
        other.limit = torch.minimum(self.largest, (region.high - region.low) / change)
        return other

    def damped_by(self, damping: Float[Tensor, "horizons D parts"]) -> Forecaster:
        """Returns the same modules (shared, not copied), with other weights of the damping."""
        other = copy.copy(self)
        other._buffers = self._buffers | {"damping": damping}
        return other

    def region_of(self, x: Float[Tensor, "B C N D+H"]) -> Region | None:
        """Returns the region of the forecasts from these states; None: they are not confined."""
        return None if self.region is None else self.region.with_start(x[..., : self.graph.features])

    def confined(self, x: Float[Tensor, "B C N D+H"], region: Region | None) -> Float[Tensor, "B C N D+H"]:
        """Returns the states with their features confined to the region."""
        d = self.graph.features
        if region is None:
            return x
        return region.confined(x) if x.shape[-1] == d else torch.cat([region.confined(x[..., :d]), x[..., d:]], -1)

    def routes(self, x: Float[Tensor, "B C N D+H"], z: Int[Tensor, "B E"]) -> Routes:
        """Returns the routes of the messages from these states on; `z` holds inferred types."""
        return routes_of(self.graph, self.names[z], x.shape[1])

    def rollout(self, x: Float[Tensor, "B C N D+H"], z: Int[Tensor, "B E"], steps: int) -> Float[Tensor, "B C R N D"]:
        """Returns R = `steps` frames, free-running from the states `x`, without noise."""
        routes, frames, region = self.routes(x, z), [], self.region_of(x)
        for _ in range(steps):
            x = self.confined(self.graph.moved(x, self.frame(x, routes)[0]), region)
            frames.append(x[..., : self.graph.features])
        return torch.stack(frames, 2)

    def forecast(self, x: Float[Tensor, "B C N D+H"], z: Int[Tensor, "B E"], steps: int) -> Float[Tensor, "B C R N D"]:
        """Returns the frames of `rollout`, damped as `damping.py` found; this is what users get."""
        region, start = self.region_of(x), x[..., : self.graph.features]
        path = damped(start, self.rollout(x, z, steps), self.damping)
        return path if region is None else region.of_frames().confined(path)

    def sample(
        self, x: Float[Tensor, "B C N D+H"], z: Int[Tensor, "B E"], noise: Float[Tensor, "B 1 R N D"]
    ) -> Float[Tensor, "B C R N D"]:
        """Returns such frames with noise: the change of every frame is `change + exp(log_variance / 2) noise`."""
        routes, frames, region = self.routes(x, z), [], self.region_of(x)
        for drawn in noise.unbind(2):
            change, inputs = self.frame(x, routes)
            change = change + torch.exp(self.log_variance(inputs, x) / 2) * drawn
            change = change if self.limit is None else limited(change, self.limit)
            x = self.confined(self.graph.moved(x, change), region)
            frames.append(x[..., : self.graph.features])
        return torch.stack(frames, 2)

    def loss(self, batch: Batch, z: Int[Tensor, "B E"]) -> Float[Tensor, " B"]:
        """Returns the weighted squared error of rollouts over the segments, plus the loss of the spread."""
        squared, spread = self.errors(batch, z)
        loss = (squared + spread).mean(1)
        # A rollout may overflow. With an infinite loss the guard leaves out this step, and the run goes on.
        loss = torch.where(loss.isnan(), torch.inf, loss)
        return loss if batch.weights is None else loss * batch.weights

    def errors(self, batch: Batch, z: Int[Tensor, "B E"]) -> tuple[Float[Tensor, "B C"], Float[Tensor, "B C"]]:
        """Returns the weighted squared error of each segment's rollout, and the spread's loss of its first change."""
        graph, states = self.graph, self.graph.with_history(batch.segments)
        counts = counted(batch.segments, graph.features, graph.lags, rolled=True)
        seen, x = states[..., : graph.features], states[:, :, 0]
        steps, region, routes = seen.shape[2] - 1, self.region_of(x), self.routes(x, z)
        spread, frames = torch.zeros((), device=states.device), []

        def mean(values: Float[Tensor, "B C R N D"], steps: int) -> Float[Tensor, "B C"]:
            marks = None if counts is None else counts[:, :, :steps].flatten(0, 1)
            return mean_of(values.flatten(0, 1), marks).view(values.shape[:2])

        for step in range(steps):
            change, inputs = self.frame(x, routes)
            if step == 0:
                error = (seen[:, :, 1] - seen[:, :, 0]) / graph.change - change
                spread = mean(spread_loss(error.detach(), self.log_variance(inputs, x))[:, :, None], 1)
            x = self.confined(graph.moved(x, change), region)
            x = tamed(x) if step < steps - 1 else x
            frames.append(x[..., : graph.features])
        errors = self.weight * (torch.stack(frames, 2) - seen[:, :, 1:]).square()
        return mean(errors if self.region is None else capped(errors, self.absurd), steps), spread

    @property
    def absurd(self) -> Float[Tensor, " D"]:
        """The weighted squared error of a guess anywhere in the region: the variance of a uniform distribution."""
        assert self.region is not None
        return self.weight * (self.region.high - self.region.low).square() / 12

    def frame(
        self, x: Float[Tensor, "B C N D+H"], routes: Routes
    ) -> tuple[Float[Tensor, "B C N D"], Float[Tensor, "B*C*N inputs"]]:
        """Returns the change to the next frame, in typical changes of training, and the first substep's input."""
        graph, first = self.graph, None
        now, past = x[..., : graph.features], x[..., graph.features :]
        for _ in range(self.substeps):
            state = torch.cat([now, past], -1) if past.shape[-1] else now
            inputs = torch.cat([arriving_messages(graph, state, routes), graph.own(state).flatten(0, 2)], -1)
            first = inputs if first is None else first
            change = graph.of_kinds(graph.node, inputs)[:, : graph.features].view(now.shape)
            change = change if self.limit is None else limited(change, self.limit)
            now = now + graph.change * change / self.substeps
        assert first is not None
        return (now - x[..., : graph.features]) / graph.change if self.substeps > 1 else change, first

    def log_variance(
        self, inputs: Float[Tensor, "B*C*N inputs"], x: Float[Tensor, "B C N D+H"]
    ) -> Float[Tensor, "B C N D"]:
        """Returns the log-variance of the change. A separate spread gives no gradient to its inputs."""
        if self.spread is None:
            return self.graph.heads(self.graph.of_kinds(self.graph.node, inputs), x.shape[:3])[1]
        raw = self.graph.of_kinds(self.spread, inputs.detach())
        return bounded(raw, *LOG_VARIANCE).view(*x.shape[:3], -1)


def spread_loss(error: Tensor, log_variance: Tensor) -> Tensor:
    """Returns a loss that is least if 68.3 % of the errors are within one standard deviation, whatever the others are.

    Source: quantile regression (Koenker and Bassett 1978), applied to the logarithm.
    """
    above = error.abs().clamp(min=TINY).log() - log_variance / 2
    return torch.maximum(WITHIN * above, (WITHIN - 1) * above)


def as_forecaster(trained: Composition) -> Forecaster | None:
    """Returns a forecaster with modules that were trained to infer, for runs without a forecasting stage.

    Compositions other than a graph cannot forecast: None.
    """
    if not isinstance(trained, GraphComposition):
        return None
    device = trained.change.device
    weight, names = torch.ones(trained.features, device=device), torch.arange(trained.choices, device=device)
    return Forecaster(trained, weight, names, None, torch.Generator(device))


def as_graph(composition: Composition, asking: str) -> GraphComposition:
    """Returns the composition as a graph composition.

    Args:
        composition: any.
        asking: what needs a graph composition, for the message.

    Raises:
        InputError: it is another one.
    """
    if not isinstance(composition, GraphComposition):
        what = f"{asking}: only the composition graph can do this, not {type(composition).__name__}"
        raise InputError(f"{what}; leave it out, or train with --composition graph")
    return composition
