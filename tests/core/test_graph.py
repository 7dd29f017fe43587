"""The graph composition agrees with plain loops and with enumeration, and has the right symmetries."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from bouncegrad.core.batches import Batch, RandomFrames
from bouncegrad.core.compositions import graph as module
from bouncegrad.core.structures import edge_index, fillings, random_structure

from .conftest import make_known, random_batch, small_graph

PAIRS = torch.tensor([[2, 0, 2, 3, 1], [0, 1, 1, 1, 3]])  # in-degrees 1, 3, 0, 1


def structure(composition, tasks: int, seed: int = 3) -> torch.Tensor:
    return random_structure(tasks, composition.slots, composition.choices, torch.Generator().manual_seed(seed))


def by_hand(composition, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Returns one step of one task, computed for one entity and one edge at a time."""
    new = []
    for t in range(len(x)):
        total = torch.zeros(composition.edge.sizes[-1])
        for e, (s, target) in enumerate(composition.pairs.T.tolist()):
            if target == t:
                total = total + composition.edge.one(torch.cat([x[s], x[t], x[s] - x[t]])[None], int(z[e]))[0]
        output = composition.node.one(torch.cat([total, x[t]])[None], 0)[0]
        new.append(x[t] + output[: len(x[t])])
    return torch.stack(new)


@pytest.mark.parametrize("pairs", [None, PAIRS], ids=["complete", "candidates"])
@pytest.mark.parametrize("path", ["grouped", "dense"])
def test_a_step_equals_a_computation_edge_by_edge(pairs, path: str) -> None:
    composition = small_graph(4, edge_types=3, pairs=pairs, path=path, likelihood="shared")
    x = torch.randn(2, 1, 4, 2, generator=torch.Generator().manual_seed(0))
    z = structure(composition, 2)
    expected = torch.stack([by_hand(composition, x[b, 0], z[b]) for b in range(2)])
    torch.testing.assert_close(composition(x, z)[:, 0], expected)


def test_a_rollout_predicts_each_frame_from_the_predicted_one_before() -> None:
    composition, z = small_graph(3), torch.tensor([[0, 1, 1, 0, 1, 0]])
    x = torch.randn(1, 2, 3, 2, generator=torch.Generator().manual_seed(0))
    path = composition.rollout(x, z, 3)
    assert path.shape == (1, 2, 3, 3, 2)
    torch.testing.assert_close(path[:, :, 2], composition(composition(composition(x, z), z), z))


def test_likelihood_is_the_gaussian_density() -> None:
    composition, batch = small_graph(3), random_batch(2, 6, 3)
    z = structure(composition, 2)
    before, after = batch.tracks[:, :-1], batch.tracks[:, 1:]
    mean, log_variance = composition.predict_change(before, z)
    normal = torch.distributions.Normal(before + mean, (log_variance / 2).exp())
    torch.testing.assert_close(composition.loss(batch, z), -normal.log_prob(after).mean((1, 2, 3)))
    low, high = module.LOG_VARIANCE
    assert (log_variance > low).all()
    assert (log_variance < high).all()


@pytest.mark.parametrize("likelihood", ["learned", "shared"])
@pytest.mark.parametrize(("choices", "pairs", "pinned"), [(2, None, False), (3, None, True), (2, PAIRS, True)])
def test_conditionals_sum_to_the_loss_of_every_structure(likelihood: str, choices: int, pairs, pinned: bool) -> None:
    entities = 3 if pairs is None else 4
    composition = small_graph(entities, edge_types=choices, likelihood=likelihood, pairs=pairs, pinned=pinned)
    batch = random_batch(2, 5, entities)
    degree = composition.groups.shape[1]
    table = composition.conditional_losses(
        batch, structure(composition, 2), torch.arange(degree).expand(entities, degree)
    )
    assert table.shape == (2, entities, choices**degree)
    weight = choices ** torch.arange(degree - 1, -1, -1)
    for seed in range(20):
        z = structure(composition, 2, seed)
        types = torch.nn.functional.pad(z, (0, 1))[:, composition.groups]
        chosen = table.gather(2, (types * weight).sum(-1, keepdim=True)).sum((1, 2)).float()
        torch.testing.assert_close(chosen, summed_loss(composition, batch, z), rtol=1e-5, atol=1e-4)


def summed_loss(composition, batch: Batch, z: torch.Tensor) -> torch.Tensor:
    """Returns the summed negative log-likelihood of all observed steps; a shared variance is 1."""
    count = batch.segments[:, :, 1:][0].numel()
    if composition.likelihood == "learned":
        return composition.loss(batch, z) * count
    squares = composition.loss(batch, z) * count  # variance 1 and unit scaling
    return (squares + count * math.log(2 * math.pi)) / 2


@pytest.mark.parametrize("pairs", [None, PAIRS], ids=["complete", "candidates"])
def test_the_losses_of_a_block_are_a_slice_of_the_whole_table(pairs) -> None:
    composition, batch = small_graph(4, pairs=pairs), random_batch(3, 4, 4)
    z, degree = structure(composition, 3), composition.groups.shape[1]
    everything = torch.arange(degree).expand(4, degree)
    whole = composition.conditional_losses(batch, z, everything)
    columns = torch.tensor([[2, 0], [1, 2], [0, 1], [0, 2]])
    block = composition.conditional_losses(batch, z, columns)
    weight = 2 ** torch.arange(degree - 1, -1, -1)
    for f, filling in enumerate(fillings(2, 2)):
        types = torch.nn.functional.pad(z, (0, 1))[:, composition.groups].clone()
        types.scatter_(2, columns.expand(3, -1, -1), filling.expand(3, 4, 2))
        expected = whole.gather(2, (types * weight).sum(-1, keepdim=True))[..., 0]
        torch.testing.assert_close(block[:, :, f], expected, rtol=1e-6, atol=1e-4)


def test_conditionals_do_not_depend_on_how_frames_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    composition, batch = small_graph(4), random_batch(2, 9, 4)
    columns, z = torch.arange(3).expand(4, 3), structure(composition, 2)
    whole = composition.conditional_losses(batch, z, columns)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 1)
    torch.testing.assert_close(composition.conditional_losses(batch, z, columns), whole, rtol=1e-6, atol=1e-5)


def test_renumbering_entities_renumbers_everything() -> None:
    composition, batch = small_graph(4), random_batch(2, 5, 4)
    z, order = structure(composition, 2), torch.tensor([2, 0, 3, 1])
    pairs = edge_index(4)
    place = {(int(s), int(t)): e for e, (s, t) in enumerate(pairs.T)}
    moved = torch.stack([z[:, place[int(order[s]), int(order[t])]] for s, t in pairs.T], 1)
    renumbered = Batch(batch.tasks, batch.tracks[:, :, order], batch.segments[:, :, :, order])
    torch.testing.assert_close(composition.loss(renumbered, moved), composition.loss(batch, z))


def test_a_pinned_type_sends_nothing() -> None:
    composition = small_graph(4, edge_types=3, pinned=True)
    assert composition.choices == 3
    assert composition.edge.modules_count == 2
    x = torch.randn(2, 5, 4, 2, generator=torch.Generator().manual_seed(0))
    moved = x.clone()
    moved[:, :, 3] += 1.0
    z = torch.ones(2, composition.slots, dtype=torch.long)
    z[:, composition.pairs[0] == 3] = 0
    assert torch.equal(composition(x, z)[:, :, :3], composition(moved, z)[:, :, :3])
    assert not torch.equal(composition(x, z.clamp(min=1))[:, :, :3], composition(moved, z.clamp(min=1))[:, :, :3])


def test_relabelling_types_with_their_modules_changes_nothing() -> None:
    composition, batch = small_graph(3, edge_types=3), random_batch(2, 5, 3)
    z, label = structure(composition, 2), torch.tensor([2, 0, 1])
    before = composition.loss(batch, z)
    with torch.no_grad():
        for parameter in composition.edge.parameters():
            parameter.copy_(parameter[label.argsort()].clone())
    torch.testing.assert_close(composition.loss(batch, label[z]), before)


def test_a_closed_composition_sees_only_differences_of_states() -> None:
    composition, batch = small_graph(3), random_batch(2, 5, 3)
    x, z, view = batch.tracks, structure(composition, 2), composition.view

    def seen(x: Tensor) -> Tensor:
        return view(x, composition.pairs)

    view.opening.zero_()
    torch.testing.assert_close(seen(x + 5), seen(x), atol=1e-5, rtol=0)
    assert (seen(x)[:, :4] == 0).all()
    view.steady[1] = torch.tensor([0.5, 1.0])  # feature 1 is constant in a task and explains half of feature 0
    shifted = x + torch.tensor([0.5, 1.0]) * torch.arange(3.0)[:, None]
    torch.testing.assert_close(seen(shifted), seen(x), atol=1e-5, rtol=0)
    closed = composition.loss(batch, z)
    view.opening.fill_(1.0)
    assert not torch.allclose(seen(shifted), seen(x))
    assert not torch.allclose(composition.loss(batch, z), closed)
    assert "view.opening" in composition.state_dict()


def test_tasks_alone_and_together_have_equal_losses() -> None:
    composition, batch = small_graph(3), random_batch(5, 6, 3)
    z = structure(composition, 5)
    alone = [composition.loss(Batch(*(field[i : i + 1] for field in batch[:3])), z[i : i + 1]) for i in range(5)]
    torch.testing.assert_close(composition.loss(batch, z), torch.cat(alone))


def test_the_same_modules_work_with_other_numbers_of_entities() -> None:
    composition = small_graph(3)
    larger = composition.on(5)
    assert (composition.entities, larger.entities, larger.slots) == (3, 5, 20)
    assert larger.edge is composition.edge
    assert composition.slots == 6


def test_rollout_loss_updates_the_one_step_variance_only_in_training(known) -> None:
    composition = known.composition
    batches = RandomFrames(known.tracks, 12, None, steps=3)
    batch = next(batches(torch.Generator().manual_seed(0)))
    assert batch.segments.shape[:3] == (12, 3, 4)
    assert composition.loss(batch, known.z[batch.tasks]).max() < 1e-12
    composition.loss(batch, known.z[batch.tasks])
    assert composition.variance.item() == pytest.approx(1e-4)
    composition.train().loss(batch, known.z[batch.tasks])
    assert composition.variance.item() == pytest.approx(0.99e-4, rel=1e-3)


def test_the_hand_made_system_follows_its_formula() -> None:
    made = make_known(entities=3, tasks=1, frames=2)
    x, z = made.tracks[0, :, :, 0], made.z[0]
    pairs = made.composition.pairs
    pull = torch.zeros(3).index_add(0, pairs[1], 0.1 * z * (x[0][pairs[0]] - x[0][pairs[1]]))
    torch.testing.assert_close(x[1], x[0] + pull)


def test_the_resolution_is_the_least_error_of_each_feature() -> None:
    """The variance grows by its square, in predictions and in the losses of all fillings alike."""
    plain, limited = small_graph(3), small_graph(3, resolution=(0.0, 0.3))
    x = torch.randn(2, 4, 3, 2, generator=torch.Generator().manual_seed(0))
    z = torch.zeros(2, 6, dtype=torch.long)
    mean, before = plain.predict_change(x, z)
    same, after = limited.predict_change(x, z)
    torch.testing.assert_close(same, mean)
    torch.testing.assert_close(after.exp(), before.exp() + torch.tensor([0.0, 0.09]))
    batch = random_batch(2, 5, 3)
    form = limited.linearized(batch).around(z)
    columns = torch.arange(2).expand(3, 2)
    torch.testing.assert_close(form.loss, limited.conditional_losses(batch, z, columns)[..., 0])
    assert not torch.allclose(form.loss, plain.linearized(batch).around(z).loss)
