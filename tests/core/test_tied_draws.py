"""Joint draws of edges that are tied to each other, or of graphs that tasks share; exact losses of single changes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.compositions import linearization
from bouncegrad.core.couplings import EntityTypes, Independent, Symmetric
from bouncegrad.core.inference import infer
from bouncegrad.core.inferred import InferenceEffort, Watched
from bouncegrad.core.joint_draws import JointDraws
from bouncegrad.core.joint_inference import Steps
from bouncegrad.core.priors import sparsity
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Quadratic
from bouncegrad.core.star_draws import star_draws
from bouncegrad.core.structures import fillings, random_structure, structure_to_adjacency
from bouncegrad.core.tied_slots import spread, tied_form, tied_prior, tied_slots

from .conftest import Known, make_known, random_batch, small_graph

JOINTLY = InferenceEffort(enumerated=1)


def reversed_pairs(composition, z: torch.Tensor) -> torch.Tensor:
    matrix = structure_to_adjacency(z, composition.pairs, composition.entities).mT
    return matrix[:, composition.pairs[0], composition.pairs[1]]


def symmetric_known(entities: int, tasks: int) -> Known:
    """Tracks of the same law on graphs in which both directions of a pair have one type."""
    known = make_known(entities, tasks)
    z = torch.minimum(known.z, reversed_pairs(known.composition, known.z))
    with torch.no_grad():
        rolled = known.composition.rollout(known.tracks[:, :1], z, known.tracks.shape[1] - 1)[:, 0]
    return known._replace(tracks=torch.cat([known.tracks[:, :1], rolled], 1), z=z)


@pytest.mark.parametrize("types", [2, 3])
def test_the_form_of_all_pairs_is_the_sum_of_the_forms_of_the_groups(types: int) -> None:
    composition, batch = small_graph(4, edge_types=types), random_batch(2, 6, 4)
    slots = tied_slots(Symmetric(), composition)
    assert slots.shape == (1, 6, 2)
    zero = torch.zeros(2, composition.slots, dtype=torch.long)
    form = composition.linearized(batch).around(zero)
    tied = tied_form(form, slots, composition.groups)
    assert tied.h.shape == (2, 1, 6 * (types - 1))
    every = fillings(types, 6)[::5]
    w = torch.nn.functional.one_hot(every, types)[..., 1:].flatten(1).float()
    found = torch.einsum("fi,bij,fj->bf", w, tied.g[:, 0], w) / 2 - tied.h[:, 0] @ w.T
    z = spread(every[:, None], zero[:1].expand(len(every), -1), slots)
    assert torch.equal(z, reversed_pairs(composition, z))
    v = torch.nn.functional.one_hot(z[:, composition.groups], types)[..., 1:].flatten(2).float()
    expected = torch.einsum("fni,bnij,fnj->bf", v, form.g, v) / 2 - torch.einsum("fni,bni->bf", v, form.h)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_the_prior_of_a_pair_is_that_of_both_directions() -> None:
    composition = small_graph(3)
    slots = tied_slots(Symmetric(), composition)
    both = tied_prior(sparsity(6, 2, 0.8), slots, 2)
    assert both.exp()[0, 0, 0].tolist() == pytest.approx([0.64 / 0.68, 0.04 / 0.68])


def test_other_couplings_are_refused() -> None:
    with pytest.raises(TypeError, match="EntityTypes"):
        tied_slots(EntityTypes(2, 2), small_graph(3))


@pytest.mark.parametrize("temperature", [float("inf"), 50.0, 1.0])
def test_symmetric_draws_are_symmetric(temperature: float) -> None:
    known = symmetric_known(6, 8)
    search, generator = JointDraws(8, coupling=Symmetric()), torch.Generator().manual_seed(0)
    batch = whole_tracks(known.tracks, torch.arange(8))
    z = random_structure(8, 30, 2, generator)
    new = search(known.composition, Uniform(known.composition.groups, 2), batch, z, temperature, generator).z
    assert torch.equal(new, reversed_pairs(known.composition, new))
    assert 0 < new.float().mean() < 1


def test_symmetric_graphs_are_found() -> None:
    known = symmetric_known(7, 6)
    found = infer(known.composition, known.tracks, coupling=Symmetric(), effort=JOINTLY)
    assert (found.z == known.z).float().mean() > 0.95  # few edges are hardly determined by these tracks
    assert torch.equal(found.z, reversed_pairs(known.composition, found.z))
    torch.testing.assert_close(found.probability.sum(-1), torch.ones(6, 42))


def test_shared_evidence_is_the_sum_over_the_tasks_of_each_group() -> None:
    composition, batch = small_graph(4, edge_types=3), random_batch(5, 6, 4)
    which, z = torch.tensor([0, 1, 0, 1, 1]), random_structure(2, 12, 3, torch.Generator().manual_seed(0))
    alone = composition.linearized(batch).surveyed(z[which])
    together = composition.linearized(batch, which).surveyed(z)
    for one, other in zip((*alone[0], alone[1]), (*together[0], together[1]), strict=True):
        summed = torch.zeros_like(other).index_add_(0, which, one)
        torch.testing.assert_close(other, summed, rtol=1e-4, atol=1e-4)


def test_tasks_of_a_group_draw_from_one_form_which_lasts_from_visit_to_visit() -> None:
    known, group = make_known(5, 6), torch.tensor([0, 0, 0, 1, 1, 1])
    search, generator = JointDraws(6, group=group), torch.Generator().manual_seed(0)
    z = random_structure(6, 20, 2, generator)
    for tasks in (torch.tensor([0, 1, 3]), torch.tensor([2, 4, 5])):
        batch = whole_tracks(known.tracks[tasks], tasks)
        move = search(known.composition, Uniform(known.composition.groups, 2), batch, z[tasks], 9.0, generator)
        first = torch.tensor([0, len(tasks) - (1 if tasks[0] == 0 else 2)])
        assert torch.equal(move.z[first], search.z)
        assert torch.equal(move.probability[first], move.probability[first][group[tasks[first]]])
    assert len(search.evidence[0]) == 2
    other = JointDraws(6, group=group)
    other.load_state_dict(search.state_dict())
    assert torch.equal(other.z, search.z)


@pytest.mark.parametrize("temperature", [math.inf, 1000.0])
def test_tasks_of_a_group_have_different_draws_at_a_high_temperature(temperature) -> None:
    known, tasks = make_known(5, 40), torch.arange(40)
    search, generator = JointDraws(40, 0.0, group=torch.zeros_like(tasks)), torch.Generator().manual_seed(0)
    z = random_structure(40, 20, 2, generator)
    proposal, batch = Uniform(known.composition.groups, 2), whole_tracks(known.tracks, tasks)
    move = search(known.composition, proposal, batch, z, temperature, generator)
    assert len(move.z.unique(dim=0)) > 20


@pytest.mark.parametrize("coupling", [Independent(), Symmetric()])
def test_the_graph_of_all_recordings_is_found_and_is_the_same_for_all(coupling) -> None:
    known = symmetric_known(7, 1)
    composition = known.composition
    x = torch.randn(4, 1, 7, 1, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        tracks = torch.cat([x, composition.rollout(x, known.z.expand(4, -1), 5)[:, 0]], 1)
    found = infer(composition, tracks, coupling=coupling, shared=torch.zeros(4, dtype=torch.long), effort=JOINTLY)
    assert torch.equal(found.z, known.z.expand(4, -1))


@pytest.mark.parametrize(
    "settings", [{}, {"edge_types": 3}, {"pinned": True}, {"kinds": (0, 1, 0, 1)}, {"likelihood": "shared"}]
)
def test_the_loss_of_a_single_change_is_exact(settings) -> None:
    composition, batch = small_graph(4, **settings), random_batch(2, 6, 4)
    z = random_structure(2, 12, composition.choices, torch.Generator().manual_seed(1))
    _, loss = composition.linearized(batch).surveyed(z)
    for target, slot, column in ((0, 1, 1), (2, 6, 0), (3, 11, 2)):
        for other in range(composition.choices):
            changed = z.clone()
            changed[:, slot] = other
            exact = composition.linearized(batch).around(changed).loss[:, target]
            torch.testing.assert_close(loss[:, target, column, other], exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"kinds": (0, 1, 0, 1)}])
def test_only_the_groups_that_are_asked_for_are_looked_at(settings) -> None:
    composition, batch = small_graph(4, edge_types=3, **settings), random_batch(3, 6, 4)
    z = random_structure(3, 12, 3, torch.Generator().manual_seed(1))
    some = torch.tensor([[True, False, False, True], [False] * 4, [False, True, False, False]])
    whole, part = composition.linearized(batch), composition.linearized(batch)
    (form, changed), (some_form, some_changed) = whole.surveyed(z), part.surveyed(z, some)
    for one, other in zip((*form, changed), (*some_form, some_changed), strict=True):
        torch.testing.assert_close(one[some], other[some], rtol=1e-4, atol=1e-4)
    draws = torch.stack([z, (z + 1) % 3], -1)
    torch.testing.assert_close(whole.losses(draws)[some], part.losses(draws, some)[some], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("coupling", [Independent(), Symmetric()])
def test_a_survey_that_follows_another_is_that_of_a_new_one(coupling) -> None:
    known = symmetric_known(5, 3)
    batch, slots = whole_tracks(known.tracks, torch.arange(3)), tied_slots(coupling, known.composition)
    search, prior = JointDraws(3, coupling=coupling), tied_prior(None, slots, 2)
    steps = Steps(known.composition, search, batch, slots, prior, torch.Generator(), JOINTLY, lambda: False)
    linear, other = known.composition.linearized(batch), known.z.clone()
    other[1, [0, 7]] = 1 - other[1, [0, 7]]
    other[1] = torch.maximum(other, reversed_pairs(known.composition, other))[1]
    first = steps.survey(linear, known.z, 1.0)
    for one, new in zip(steps.survey(linear, other, 1.0, first), steps.survey(linear, other, 1.0), strict=True):
        for values, exact in zip(one, new, strict=True) if isinstance(one, tuple) else [(one, new)]:
            torch.testing.assert_close(values, exact, rtol=1e-4, atol=1e-4)


def test_long_recordings_are_read_part_by_part(monkeypatch) -> None:
    composition, batch = small_graph(4, edge_types=3), random_batch(3, 20, 4)
    z = random_structure(3, 12, 3, torch.Generator().manual_seed(0))
    whole = composition.linearized(batch)
    monkeypatch.setattr(linearization, "NUMBERS_AT_ONCE", 12 * 3 * 6 * 7)  # seven frames
    monkeypatch.setattr(linearization, "NUMBERS_KEPT", 12 * 3 * 6 * 19)
    parts = composition.linearized(batch)
    assert (len(whole.parts), len(parts.parts)) == (1, 9)
    assert (whole.excess <= 1, parts.excess) == (True, 3.0)
    for one, other in zip(whole.around(z), parts.around(z), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_recordings_that_do_not_fit_into_memory_are_inferred_alike(monkeypatch) -> None:
    known = make_known(entities=6, tasks=3, frames=40)
    monkeypatch.setattr(linearization, "NUMBERS_KEPT", 30 * 2 * 2 * 39)
    found = infer(known.composition, known.tracks, effort=JOINTLY).z
    assert (found == known.z).float().mean() > 0.95


def test_probabilities_are_near_the_exact_ones() -> None:
    known = make_known(entities=6, tasks=30)
    known.composition.variance.fill_(0.02)
    exact = infer(known.composition, known.tracks)
    found = infer(known.composition, known.tracks, effort=replace(JOINTLY, final_samples=2000))
    assert 0.1 < (exact.probability[..., 1] - 0.5).abs().mean() < 0.45  # neither sure nor without evidence
    assert (found.probability - exact.probability).abs().mean() < 0.015


def test_the_share_of_the_work_that_is_done_is_reported() -> None:
    known, shares = make_known(entities=5, tasks=3), []
    effort = replace(JOINTLY, tasks_at_once=1)
    infer(known.composition, known.tracks, stop=Watched(shares.append, 3 * (effort.joint_sweeps + 3)), effort=effort)
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert 0.8 < shares[-1] <= 1


@pytest.mark.parametrize(("entities", "types"), [(4, 2), (3, 3)])
def test_sweeps_over_stars_have_the_exact_probabilities(entities: int, types: int) -> None:
    generator, size, rows = torch.Generator().manual_seed(0), (entities - 1) * (types - 1), 20_000
    x = torch.randn(1, entities, size, 2 * size, generator=generator, dtype=torch.float64)
    g, h = x @ x.mT / size, 1.5 * torch.randn(1, entities, size, generator=generator, dtype=torch.float64)
    prior = torch.randn(entities, entities, types, generator=generator, dtype=torch.float64)
    prior = (prior + prior.transpose(0, 1)).log_softmax(-1)[None]
    first, second = torch.triu_indices(entities, entities, 1)
    every = fillings(types, len(first))
    matrix = torch.zeros(len(every), entities, entities, dtype=torch.long)
    matrix[:, first, second] = matrix[:, second, first] = every
    log = prior[0, first, second][torch.arange(len(first)), every].sum(1)
    for target in range(entities):
        sources = [source for source in range(entities) if source != target]
        w = torch.nn.functional.one_hot(matrix[:, sources, target], types)[..., 1:].flatten(1).double()
        log += w @ h[0, target] - ((w @ g[0, target]) * w).sum(1) / 2
    form = Quadratic(g.expand(rows, -1, -1, -1), h.expand(rows, -1, -1), torch.zeros(rows, entities))
    drawn = torch.zeros(rows, entities, entities, dtype=torch.long)
    for _ in range(8):
        numbers = torch.rand(9, rows, entities, entities - 1, generator=generator, dtype=torch.float64)
        order = torch.randperm(entities, generator=generator)
        drawn, shares = star_draws(form, prior.expand(rows, -1, -1, -1), drawn, numbers, order)
    assert torch.equal(drawn, drawn.mT)
    torch.testing.assert_close(shares, shares.transpose(1, 2))
    number = (drawn[:, first, second] * types ** torch.arange(len(first) - 1, -1, -1)).sum(1)
    share = torch.bincount(number, minlength=len(every)) / rows
    torch.testing.assert_close(share.double(), log.softmax(0), atol=0.015, rtol=0)


def test_large_symmetric_graphs_are_drawn_star_by_star() -> None:
    known = symmetric_known(13, 2)
    search, generator = JointDraws(2, 0.0, coupling=Symmetric()), torch.Generator().manual_seed(0)
    batch, start = whole_tracks(known.tracks, torch.arange(2)), random_structure(2, 156, 2, generator)
    z = start
    for sweep in range(20):
        move = search(known.composition, Uniform(known.composition.groups, 2), batch, z, 300 * 0.6**sweep, generator)
        z = move.z
    assert torch.equal(z, reversed_pairs(known.composition, z))
    torch.testing.assert_close(move.probability.sum(-1), torch.ones(2, 156, dtype=torch.float64))
    left = [known.composition.loss(batch, structure).mean().item() for structure in (start, z)]
    assert left[1] < 0.02 * left[0]  # many graphs explain these tracks nearly as well as the true one
