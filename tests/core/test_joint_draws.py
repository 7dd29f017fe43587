"""Joint draws: the quadratic form, exact frequencies of weighted draws, the compiled loop, and known structures."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from bouncegrad.core.batches import whole_tracks
from bouncegrad.core.couplings import Independent
from bouncegrad.core.inferred import InferenceEffort, Interrupted
from bouncegrad.core.joint_draws import JointDraws
from bouncegrad.core.joint_inference import Steps, infer_jointly
from bouncegrad.core.priors import known_edges, sparsity
from bouncegrad.core.proposals import Uniform
from bouncegrad.core.seams import Quadratic
from bouncegrad.core.structures import edge_index, fillings, random_structure
from bouncegrad.core.weighted_draws import draw, weighted_draws

from .conftest import make_known, random_batch, small_graph

KINDS = [
    {},
    {"edge_types": 3},
    {"edge_types": 3, "pinned": True},
    {"kinds": (0, 1, 0, 1)},
    {"momentum": True},
    {"lags": 1},
    {"pairs": edge_index(4)[:, [0, 1, 3, 5, 6, 10]]},
]


def form_of(degree: int, choices: int, rows: tuple[int, int] = (1, 1)) -> tuple[Quadratic, torch.Tensor]:
    """A random positive quadratic form and a random prior, in double precision."""
    generator, size = torch.Generator().manual_seed(degree), degree * (choices - 1)
    x = torch.randn(*rows, size, 2 * size, generator=generator, dtype=torch.float64)
    h = 3 * torch.randn(*rows, size, generator=generator, dtype=torch.float64)
    prior = torch.randn(1, 1, degree, choices, generator=generator, dtype=torch.float64).log_softmax(-1)
    return Quadratic(x @ x.mT, h, torch.zeros(rows)), prior


def uniform(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("settings", KINDS)
def test_the_form_has_the_exact_loss_at_its_centre_and_its_slopes_around(settings) -> None:
    """Variances that do not depend on the structure, and messages so weak that the mean is linear in them."""
    composition, batch = small_graph(4, likelihood="shared", seed=1, **settings), random_batch(3, 6, 4)
    batch = whole_tracks(batch.tracks, batch.tasks, composition.lags)
    with torch.no_grad():
        for parameter in composition.edge.parameters():
            parameter.mul_(0.1)
    z = torch.randint(composition.choices, (3, composition.slots), generator=torch.Generator().manual_seed(0))
    form = composition.linearized(batch).around(z)
    groups = composition.groups
    columns = torch.arange(groups.shape[1]).expand(groups.shape)
    exact = composition.conditional_losses(batch, z, columns)
    every = fillings(composition.choices, groups.shape[1])
    w = (every[:, :, None] == torch.arange(1, composition.choices)).flatten(1).float()
    found = torch.einsum("fi,bnij,fj->bnf", w, form.g, w) / 2 - torch.einsum("fi,bni->bnf", w, form.h)
    difference = (exact - exact[..., :1]) - (found - found[..., :1])
    assert difference.abs().max() < 0.05 * (exact - exact[..., :1]).abs().max()
    digits = composition.choices ** torch.arange(groups.shape[1] - 1, -1, -1)
    here = (torch.nn.functional.pad(z, (0, 1))[:, groups] * digits).sum(-1)
    torch.testing.assert_close(form.loss, exact.gather(2, here[..., None])[..., 0], rtol=1e-5, atol=1e-4)


def test_the_form_of_many_tasks_is_that_of_each() -> None:
    composition, batch = small_graph(4), random_batch(5, 6, 4)
    z = random_structure(5, 12, 2, torch.Generator().manual_seed(0))
    one_task = batch.part(torch.tensor([3]))
    whole, alone = composition.linearized(batch).around(z), composition.linearized(one_task).around(z[3:4])
    for one, other in zip(whole, alone, strict=True):
        torch.testing.assert_close(one[3:4], other)


@pytest.mark.parametrize(("degree", "choices"), [(4, 2), (3, 3)])
def test_weighted_draws_have_the_exact_probabilities(degree: int, choices: int) -> None:
    form, prior = form_of(degree, choices)
    every = fillings(choices, degree)
    w = torch.nn.functional.one_hot(every, choices)[..., 1:].flatten(1).double()
    loss = torch.einsum("fi,ij,fj->f", w, form.g[0, 0], w) / 2 - w @ form.h[0, 0]
    known = sum(prior[0, 0, i][every[:, i]] for i in range(degree))
    drawn = draw(form, prior, uniform(40_000, 1, 1, degree))
    weights = drawn.log_weight.flatten().exp()
    number = (drawn.types[:, 0, 0] * choices ** torch.arange(degree - 1, -1, -1)).sum(-1)
    share = torch.zeros(len(every), dtype=torch.float64).index_add(0, number, weights) / weights.sum()
    torch.testing.assert_close(share, (known - loss).softmax(0), atol=0.02, rtol=0)
    assert weights.mean() == pytest.approx(float((known - loss).exp().sum()), rel=0.05)


@pytest.mark.parametrize(("degree", "choices"), [(1, 2), (4, 2), (3, 3), (9, 4), (70, 2), (20, 3)])
def test_the_compiled_loop_draws_what_tensors_draw(degree: int, choices: int) -> None:
    form, prior = form_of(degree, choices, (3, 5))
    numbers = uniform(8, 3, 5, degree)
    for one, other in zip(weighted_draws(form, prior, numbers), draw(form, prior, numbers), strict=True):
        torch.testing.assert_close(one, other)


def test_draws_are_finite_where_rounding_makes_the_form_uneven() -> None:
    """Evidence a million times as strong as the prior, in single precision."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 19, 30, generator=generator) * torch.logspace(0, 4, 30)
    form = Quadratic((x @ x.mT) + 0.05 * torch.randn(2, 5, 19, 19, generator=generator), x.sum(-1), torch.zeros(2, 5))
    prior = torch.full((1, 1, 19, 2), -math.log(2), dtype=torch.float64)
    drawn = JointDraws(2).drawn(form, prior, whole_tracks(torch.zeros(2, 3, 5, 1), torch.arange(2)), 1.0, generator)
    assert torch.isfinite(drawn.log_weight).all()
    assert torch.isfinite(drawn.log_density).all()


def move_of(search: JointDraws, known, temperature: float, tasks: slice = slice(None), seed: int = 0):
    batch = whole_tracks(known.tracks[tasks], torch.arange(len(known.tracks))[tasks])
    z = torch.zeros_like(known.z[tasks])
    generator = torch.Generator().manual_seed(seed)
    return search(known.composition, Uniform(known.composition.groups, 2), batch, z, temperature, generator)


def test_the_structure_that_made_the_tracks_is_drawn() -> None:
    known = make_known(entities=8, tasks=6)
    search, generator = JointDraws(6, 0.0), torch.Generator().manual_seed(0)
    z = random_structure(6, 56, 2, generator)  # where nothing arrives, the rectifiers of these modules have no slope
    batch = whole_tracks(known.tracks, torch.arange(6))
    for sweep in range(12):
        z = search(known.composition, Uniform(known.composition.groups, 2), batch, z, 100 * 0.5**sweep, generator).z
    # The rectifiers of these modules bend where messages cancel, and a quadratic form does not know of that.
    assert (z == known.z).float().mean() > 0.9


@pytest.mark.parametrize("temperature", [math.inf, 1e6, 1.0])
def test_an_edge_that_is_known_is_never_drawn_otherwise(temperature: float) -> None:
    known = make_known(entities=4, tasks=12)
    stated = torch.where(torch.arange(12) % 3 == 0, 1 - known.z, -1)
    move = move_of(JointDraws(12, prior=known_edges(stated, 2)), known, temperature)
    assert torch.equal(move.z[stated >= 0], stated[stated >= 0])


def test_the_prior_decides_where_frames_do_not() -> None:
    known = make_known(entities=5, tasks=200)
    known.composition.variance.fill_(1e9)
    move = move_of(JointDraws(200, 0.0, prior=sparsity(20, 2, 0.9)), known, 1.0)
    assert move.z.float().mean() == pytest.approx(0.1, abs=0.02)
    assert move.probability.sum(-1) == pytest.approx(torch.ones(200, 20), abs=1e-5)


def test_a_task_alone_gets_the_draw_that_it_gets_among_others() -> None:
    known = make_known(entities=5, tasks=6)
    known.composition.variance.fill_(0.1)
    together = move_of(JointDraws(6, 0.0, noise_rows=1), known, 2.0)
    alone = move_of(JointDraws(6, 0.0, noise_rows=1), known, 2.0, slice(4, 5))
    assert torch.equal(together.z[4:5], alone.z)


def test_evidence_lasts_decays_and_comes_back_from_a_checkpoint() -> None:
    known = make_known(entities=4, tasks=3)
    search = JointDraws(3, 0.5)
    batch = whole_tracks(known.tracks, torch.arange(3))
    form = known.composition.linearized(batch).around(known.z)
    for _ in range(2):
        found = search.remember(batch, form)
    torch.testing.assert_close(search.evidence[0], 1.5 * form.g)
    torch.testing.assert_close(found.h, 0.75 * form.h)  # half of the old is kept: one and a half tracks count as 0.75
    other = JointDraws(3, 0.5)
    other.load_state_dict(search.state_dict())
    assert torch.equal(move_of(search, known, 3.0).z, move_of(other, known, 3.0).z)


def inferred(known, stop=lambda: False):
    return infer_jointly(known.composition, known.tracks, 0, Independent(), None, None, stop, InferenceEffort())


def test_inference_finds_the_structure_alone_and_among_others() -> None:
    known = make_known(entities=8, tasks=5)
    whole = inferred(known)
    assert (whole.z == known.z).float().mean() > 0.98  # few edges are hardly determined by these tracks
    torch.testing.assert_close(whole.probability.sum(-1), torch.ones(5, 56))
    alone = inferred(known._replace(tracks=known.tracks[3:4]))
    assert torch.equal(alone.z[0], whole.z[3])
    torch.testing.assert_close(alone.probability[0], whole.probability[3], atol=1e-5, rtol=0)


def test_inference_is_stopped_between_two_sweeps() -> None:
    known, asked = make_known(entities=4, tasks=2), []
    with pytest.raises(Interrupted):
        inferred(known, stop=lambda: len(asked) > 2 or bool(asked.append(1)))
    assert len(asked) == 3


def test_more_draws_are_better_draws() -> None:
    """The draw of largest weight among many is nearer to the exact probabilities than the first one."""
    known = make_known(entities=6, tasks=40)
    known.composition.variance.fill_(0.01)
    batch = whole_tracks(known.tracks, torch.arange(40))
    z, right = torch.zeros_like(known.z), []
    for samples in (1, 64):
        search = JointDraws(40, 0.0, samples)
        move = search(
            known.composition, Uniform(known.composition.groups, 2), batch, z, 1.0, torch.Generator().manual_seed(0)
        )
        right.append(float(known.composition.loss(batch, move.z).mean().detach()))
    assert right[1] <= right[0] + 1e-3


@pytest.mark.parametrize("temperature", [math.inf, 1e9, 1.0])
def test_first_probabilities_count_at_high_temperatures_only(temperature: float) -> None:
    """At an infinite temperature structures have these probabilities; at 1 they are those of a search without them."""
    composition, batch = small_graph(4, seed=1), random_batch(3, 6, 4)
    batch = whole_tracks(batch.tracks, batch.tasks)
    generator = torch.Generator().manual_seed(0)
    probability = torch.rand(1, 12, 2, generator=generator, dtype=torch.float64).softmax(-1)
    z = random_structure(3, 12, 2, generator)

    def drawn(first: torch.Tensor | None, seed: int) -> torch.Tensor:
        search = JointDraws(3, 0.0, first=first)
        noise = torch.Generator().manual_seed(seed)
        return search(composition, Uniform(composition.groups, 2), batch, z, temperature, noise).z

    if temperature == 1.0:
        assert torch.equal(drawn(probability.log(), 0), drawn(None, 0))
        return
    found = torch.stack([drawn(probability.log(), seed) for seed in range(400)]).double().mean((0, 1))
    torch.testing.assert_close(found, probability[0, :, 1], atol=0.05, rtol=0)


def test_a_type_that_the_prior_excludes_is_not_drawn_first() -> None:
    composition, batch = small_graph(4), random_batch(3, 6, 4)
    z = torch.zeros(3, 12, dtype=torch.long)
    prior = known_edges(torch.tensor([[1, 0] + [-1] * 10]), 2).log_softmax(-1)
    first = torch.tensor([0.99, 0.01]).log().expand(1, 12, 2)
    search = JointDraws(3, prior=prior, first=first)
    new = search(composition, Uniform(composition.groups, 2), batch, z, math.inf, torch.Generator().manual_seed(0)).z
    assert new[:, 0].tolist() == [1, 1, 1]
    assert new[:, 1].tolist() == [0, 0, 0]


def test_inference_of_a_shared_graph_does_not_depend_on_first_probabilities(monkeypatch) -> None:
    """It begins from the most probable types; the end is the structure of least loss, also from a wrong beginning."""
    known = make_known(entities=6, tasks=1)
    known.composition.variance.fill_(1e-4)
    z, group, begun = known.z, torch.zeros(1, dtype=torch.long), []
    annealed = Steps.annealed

    def spied(steps, linear, structure, *rest):
        begun.append(structure)
        return annealed(steps, linear, structure, *rest)

    monkeypatch.setattr(Steps, "annealed", spied)
    for start in (z, 1 - z):
        first = F.one_hot(start, 2).double().mul(0.98).add(0.01).log()
        effort = InferenceEffort(enumerated=1, first=first)
        found = infer_jointly(known.composition, known.tracks, 0, Independent(), None, group, bool, effort)
        assert torch.equal(begun.pop(), start)
        assert torch.equal(found.z, z)
