"""Tensors are made on the device of their inputs, or of the generator that draws them, whatever the default device is.

The default device of these tests is "meta", which holds no numbers: where a tensor is made without a device, the
function fails, or returns something else than on the CPU.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from bouncegrad.core.annealing import Fixed
from bouncegrad.core.batches import Batch, RandomFrames
from bouncegrad.core.bouncegrad import BounceGrad
from bouncegrad.core.calibration import calibrated_temperature
from bouncegrad.core.compositions.chain import Chain
from bouncegrad.core.compositions.forecaster import Forecaster, as_forecaster
from bouncegrad.core.compositions.sum import Sum
from bouncegrad.core.couplings import EntityTypes, Independent, Symmetric
from bouncegrad.core.damping import Shrinkage
from bouncegrad.core.encoders.convolution import ConvolutionEncoder
from bouncegrad.core.encoders.structure import StructureEncoder
from bouncegrad.core.encoders.tracks import TrackEncoder
from bouncegrad.core.hard_segments import HardSegments
from bouncegrad.core.heat_bath import Enumeration, HeatBath
from bouncegrad.core.inference import InferenceEffort, infer
from bouncegrad.core.laws import effects
from bouncegrad.core.marks import observed_pairs
from bouncegrad.core.mirroring import Mirrored
from bouncegrad.core.modules import ModulePool
from bouncegrad.core.moves import flip_slot, redraw_all, redraw_group, redraw_slot
from bouncegrad.core.offsets import move_offsets, silent_type
from bouncegrad.core.optimizers import Muon
from bouncegrad.core.particle_filter import Particles
from bouncegrad.core.points import OnFitted, RandomTasks, every_task
from bouncegrad.core.priors import known_edges, sparsity
from bouncegrad.core.proposals import InTurn, Learned, Truth, Uniform
from bouncegrad.core.seams import Clock, Move
from bouncegrad.core.search import Kept, Metropolis
from bouncegrad.core.shared_graph import SharedGraph
from bouncegrad.core.smoothing import smoothed
from bouncegrad.core.spread import SAMPLES, calibrated, ensemble, widened
from bouncegrad.core.steady import steady_part
from bouncegrad.core.structures import (
    adjacency_to_structure,
    edge_index,
    fillings,
    one_hot,
    random_structure,
    structure_to_adjacency,
)
from bouncegrad.core.unseen import UnseenEffort, find_unseen
from bouncegrad.data.functions import sines

from .another_default import GRAPHS, Given, same_under_another_default
from .conftest import small_graph, unit_scaling


@pytest.mark.parametrize("settings", GRAPHS.values(), ids=GRAPHS)
def test_losses_of_a_graph(settings):
    def case(g: Given) -> Any:
        columns = [Independent().plan(g.composition.groups, 2, most, g.generator).columns for most in (64, 2)]
        tables = [g.composition.conditional_losses(g.batch, g.z, c) for c in columns]
        empty = g.composition.conditional_losses(g.batch, g.z[:0], columns[0])
        loss = g.composition.loss(g.batch, g.z)
        loss.sum().backward()
        gradients = [parameter.grad for parameter in g.composition.parameters() if parameter.grad is not None]
        states = g.composition.with_history(g.tracks)
        return (
            tables,
            empty,
            loss,
            gradients,
            effects(g.composition, states, g.z),
            g.composition.residuals(g.batch, g.z),
        )

    same_under_another_default(case, **settings)


@pytest.mark.parametrize("settings", GRAPHS.values(), ids=GRAPHS)
def test_a_new_graph_follows_its_generator(settings):
    settings = {name: value for name, value in settings.items() if name != "marked"}

    def case(g: Given) -> Any:
        made = small_graph(4, **settings)
        return made.state_dict(), made.pairs, made.groups, made.on(5).pairs, made.on(5).groups

    same_under_another_default(case)


COUPLINGS = {
    "independent": Independent,
    "symmetric": Symmetric,
    "entity types": lambda: EntityTypes(2, 2),
}
LIMITS = {"all": Enumeration(), "blocks": Enumeration(whole=2, block=4)}


def moves_of(search: HeatBath, g: Given) -> list[Any]:
    """Returns moves at three temperatures, and what the search keeps."""
    moves = [search(g.composition, g.uniform, g.batch, g.z, t, g.generator) for t in (float("inf"), 3.0, 1.0)]
    return [moves, search.state_dict()]


@pytest.mark.parametrize("coupling", COUPLINGS.values(), ids=COUPLINGS)
@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
def test_the_heat_bath(coupling, limits):
    def case(g: Given) -> Any:
        known = known_edges(torch.where(g.z > 0, g.z, -1), 2)
        stated = [None, sparsity(g.composition.slots, 2, 0.7, g.z.device), known]
        return [
            moves_of(HeatBath(len(g.z), decay, limits, noise_rows=rows, coupling=coupling(), prior=prior), g)
            for decay in (0.0, 0.7)
            for rows in (0, 1)
            for prior in (stated if isinstance(coupling(), Independent) else stated[:2])
        ]

    # Symmetric draws random cliques if there are more than five entities.
    same_under_another_default(case, entities=7 if coupling is Symmetric else 4)


def test_shared_graphs():
    def case(g: Given) -> Any:
        group = g.batch.tasks // 2
        prior = known_edges(torch.where(g.z > 0, g.z, -1), 2)
        one, several = SharedGraph(), SharedGraph(0.0, group=group, prior=0.1 * sparsity(12, 2, 0.5, "cpu"))
        return moves_of(one, g), moves_of(several, g), SharedGraph(group=group, prior=prior).prior

    same_under_another_default(case)
    same_under_another_default(case, marked=True)


MOVES = {"edge": redraw_slot, "entity": redraw_group, "flip": flip_slot, "everything": redraw_all}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_searches_that_test_proposals(move):
    def case(g: Given) -> Any:
        groups, found = g.composition.groups, []
        for proposal in (Uniform(groups, 2, move), Truth(g.z, groups, 2, move)):
            arguments = (g.composition, proposal, g.batch, g.z, 0.1, g.generator)
            found += [Metropolis(explain=True)(*arguments), Kept()(*arguments)]
        return found

    same_under_another_default(case)


def encoders(g: Given) -> dict[str, Any]:
    pairs, slots = g.composition.pairs, g.composition.slots
    return {
        "mlp": TrackEncoder(5, 2, 2, pairs, g.generator, hidden=4),
        "cnn": ConvolutionEncoder(2, 2, pairs, g.generator, hidden=4),
        "uniform": StructureEncoder(slots, 2, g.generator, "uniform", hidden=4),
        "flipped": StructureEncoder(slots, 2, g.generator, "flipped", hidden=4),
    }


@pytest.mark.parametrize("name", ["mlp", "cnn", "uniform", "flipped"])
def test_learned_proposals(name):
    def case(g: Given) -> Any:
        proposal = Learned(encoders(g)[name], g.composition.groups, redraw_group, learning_rate=0.1)
        both = InTurn(proposal, g.uniform)
        found = []
        for _ in range(2):
            move = Metropolis()(g.composition, both, g.batch, g.z, 10.0, g.generator)
            both.learn(g.batch, move)
            found.append(move)
        return found, proposal.encoder.state_dict(), proposal.probability(g.tracks, g.z)

    same_under_another_default(case)


EFFORTS = {
    "exact": InferenceEffort(),
    "blocks": InferenceEffort(cooling_sweeps=3, averaged_sweeps=2, enumerated=4, largest=4, smallest=4),
}


@pytest.mark.parametrize("effort", EFFORTS.values(), ids=EFFORTS)
@pytest.mark.parametrize("shared", [False, True], ids=["a graph each", "one graph"])
def test_inference(effort, shared):
    def case(g: Given) -> Any:
        group = torch.zeros_like(g.batch.tasks) if shared else None
        prior = sparsity(g.composition.slots, 2, 0.7, g.tracks.device)
        return [infer(g.composition, g.tracks, 1, c(), prior, group, effort=effort) for c in COUPLINGS.values()]

    same_under_another_default(case)


def test_inference_with_another_number_of_entities():
    same_under_another_default(lambda g: infer(g.composition, g.tracks[:, :, :3]))


def test_calibration_offsets_and_the_silent_type():
    def case(g: Given) -> Any:
        temperature = calibrated_temperature(g.composition, g.tracks, g.z, g.generator)
        move_offsets(g.composition, g.tracks)
        silent = silent_type(g.composition, g.tracks)
        numbers = torch.tensor([temperature, -1 if silent is None else silent], device="cpu")
        return numbers, g.composition.state_dict()

    same_under_another_default(case)
    same_under_another_default(case, lags=1)


@pytest.mark.parametrize("settings", [{}, {"marked": True}, {"lags": 1}], ids=["no gaps", "gaps", "lags"])
def test_forecasters(settings):
    def case(g: Given) -> Any:
        graph, found = g.composition, []
        states = graph.with_history(g.tracks)
        plain = as_forecaster(graph)
        assert plain is not None
        separate = Forecaster(graph, plain.weight, plain.names, (4,), g.generator, substeps=2, horizons=3)
        for forecaster in (plain, separate):
            with torch.no_grad():
                noise = g.tracks[:, None, :2, :, :2]
                found.append(forecaster.sample(states[:, :1], g.z, noise))
                found.append(forecaster.rollout(states[:, :1], g.z, 3))
                found.append(forecaster.loss(g.batch, g.z))
                shrinkage = Shrinkage([[0], [1]], torch.tensor([True, False], device="cpu"))
                found += [*(known := calibrated(forecaster, (g.tracks, g.z), (g.tracks, g.z), shrinkage, g.generator))]
                factors = known.widening
                samples = g.z.expand(SAMPLES, -1, -1)
                ahead = ensemble(forecaster, states[:, :1], samples, g.z, 3, g.generator).futures()
                found += [factors, widened(ahead, factors), forecaster.state_dict()]
        hard = HardSegments(g.tracks, g.z, separate)
        hard.batches, hard.batch = 2, 5
        return found, list(hard(g.generator)), hard.state_dict()

    same_under_another_default(case, **settings)


def test_unseen_entities():
    few = UnseenEffort(trials=3, sweeps=3, kept=((2, 2),), polish=2, particles=Particles(count=20, first=40))

    def case(g: Given) -> Any:
        # Repeated searches, and edges among the visible that are sampled, are part of it.
        again = replace(few, unexplained=0.0, particles=replace(few.particles, fillings=4))
        visible = g.tracks[:2, :6, :3]
        found = [find_unseen(g.composition, visible, effort=effort) for effort in (few, again)]
        return found, find_unseen(g.composition, visible, coupling=Symmetric(), effort=few)

    same_under_another_default(case)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("segments", [None, 3])
@pytest.mark.parametrize("marked", [False, True])
def test_batches(mirrored, segments, marked):
    def case(g: Given) -> Any:
        counts = g.tracks[:, 1:, :, 2] if marked else None
        frames = RandomFrames(g.tracks, 4, segments, steps=2, counts=counts)
        mirror = Mirrored(frames, ("x", "y"), unit_scaling(2), g.tracks.device)
        return list((mirror if mirrored else frames)(g.generator)), frames.state_dict()

    same_under_another_default(case, marked=marked)


def test_a_training_loop():
    def case(g: Given) -> Any:
        optimizer = Muon(g.composition.parameters())
        search = HeatBath(len(g.z))
        loop = BounceGrad(g.composition, search, g.uniform, Fixed(1.0), g.z, g.generator, optimizer)
        losses: list[Any] = []

        def report(clock: Clock, batch: Batch, move: Move, loss: torch.Tensor | None) -> None:
            losses.append(loss)

        clocks = (Clock(epoch, epoch / 3) for epoch in range(3))
        loop.run(clocks, RandomFrames(g.tracks, 4, 3), report)
        return losses, loop.state_dict()

    same_under_another_default(case)


@pytest.mark.parametrize("kind", [Sum, Chain])
def test_functions(kind):
    data = sines(6)

    def case(g: Given) -> Any:
        sizes = (data.x.shape[2], 4, data.y.shape[2])
        composition = kind([ModulePool(3, sizes, g.generator)], 1 if kind is Chain else 2)
        proposal, found = Uniform(composition.groups, 3), []
        for batch in RandomTasks(every_task(data), 4)(g.generator):
            z = random_structure(len(batch.tasks), composition.slots, 3, g.generator)
            found.append(OnFitted(Metropolis())(composition, proposal, batch, z, 0.1, g.generator))
        return found, composition.groups

    same_under_another_default(case)


def test_structures_and_what_was_observed():
    def case(g: Given) -> Any:
        pairs = g.composition.pairs
        adjacency = structure_to_adjacency(g.z, pairs, 4)
        made = [edge_index(4, "cpu"), fillings(2, 3, "cpu"), one_hot(g.z, 2), adjacency]
        seen = [observed_pairs(g.tracks, 2, pairs), steady_part(g.tracks, 2)]
        probability = one_hot(g.z, 2).view(2, 3, -1, 2)
        rest = smoothed(probability, probability.mean((0, 1, 2)))
        return made, adjacency_to_structure(adjacency, pairs), seen, rest

    same_under_another_default(case)
    same_under_another_default(case, marked=True)
