"""Encoders: source and target, the inputs that they use, dropout, and what each one can learn."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bouncegrad.core.compositions.pair_view import PairView
from bouncegrad.core.encoders.base import Perceptron
from bouncegrad.core.encoders.convolution import ConvolutionEncoder
from bouncegrad.core.encoders.regression import EXPLAINED, RIDGE, RegressionEncoder, columns
from bouncegrad.core.encoders.structure import StructureEncoder
from bouncegrad.core.encoders.tracks import TrackEncoder
from bouncegrad.core.marks import with_marks
from bouncegrad.core.structures import edge_index, one_hot, random_structure

from .conftest import random_batch, unit_scaling

PAIRS = edge_index(3)
MADE: dict[str, Callable[..., nn.Module]] = {
    "mlp": lambda generator, **settings: TrackEncoder(12, 2, 2, PAIRS, generator, hidden=16, **settings),
    "cnn": lambda generator, **settings: ConvolutionEncoder(2, 2, PAIRS, generator, hidden=16, **settings),
    "regression": lambda generator, **settings: RegressionEncoder(
        PairView(2, 0, unit_scaling(2), (0, 1)), torch.ones(2), 2, PAIRS, generator, hidden=16, **settings
    ),
    "uniform": lambda generator, **settings: StructureEncoder(6, 2, generator, hidden=16, **settings),
    "flipped": lambda generator, **settings: StructureEncoder(6, 2, generator, "flipped", hidden=16, **settings),
}
NOTHING = torch.zeros(4, 6, dtype=torch.long)


def made(name: str, seed: int = 0, **settings):
    return MADE[name](torch.Generator().manual_seed(seed), **settings)


@pytest.mark.parametrize("name", ["mlp", "cnn", "regression"])
def test_renumbering_entities_renumbers_logits_and_directions_differ(name: str) -> None:
    network, tracks = made(name), random_batch(4, 12, 3).tracks
    logits = network(tracks, NOTHING)
    assert logits.shape == (4, 6, 2)
    order = torch.tensor([2, 0, 1])
    place = {(int(s), int(t)): e for e, (s, t) in enumerate(PAIRS.T)}
    moved = [place[int(order[s]), int(order[t])] for s, t in PAIRS.T]
    torch.testing.assert_close(network(tracks[:, :, order], NOTHING), logits[:, moved])
    assert not torch.allclose(logits[:, place[0, 1]], logits[:, place[1, 0]])


@pytest.mark.parametrize("name", MADE)
def test_a_task_alone_gets_the_same_logits_and_draws_come_from_the_generator(name: str) -> None:
    tracks, z = random_batch(4, 12, 3).tracks, random_structure(4, 6, 2, torch.Generator().manual_seed(2))
    if name in ("mlp", "cnn", "regression"):
        torch.testing.assert_close(made(name)(tracks[2:3], z[2:3]), made(name)(tracks, z)[2:3])
    for learning in (False, True):
        one, two = (made(name)(tracks, z, learning=learning) for _ in range(2))
        assert torch.equal(one, two)
    torch.manual_seed(5)
    assert torch.equal(made(name)(tracks, z, learning=True), one)


@pytest.mark.parametrize("name", ["cnn", "regression"])
@pytest.mark.parametrize("frames", [2, 3, 12, 49])
def test_some_encoders_take_tracks_of_any_length(name: str, frames: int) -> None:
    assert made(name)(random_batch(4, frames, 3).tracks, NOTHING).isfinite().all()


@pytest.mark.parametrize("entities", [2, 3, 6])
def test_the_regression_takes_any_number_of_entities_and_leaves_the_first_encoder_as_it_is(entities: int) -> None:
    network, tracks = made("regression"), random_batch(4, 12, 3).tracks
    before = network(tracks, NOTHING)
    other = network.on(edge_index(entities))
    assert other(random_batch(4, 12, entities).tracks, NOTHING).shape == (4, entities * (entities - 1), 2)
    assert torch.equal(network(tracks, NOTHING), before)
    assert other.pair is network.pair


def test_the_regression_on_some_pairs_ignores_the_others() -> None:
    """An entity without a pair changes no logit, and pairs in another order have the same logits."""
    network, tracks = made("regression"), random_batch(4, 12, 3).tracks
    pairs = torch.tensor([[1, 0], [0, 1]])
    logits = network.on(pairs)(tracks, NOTHING)
    moved = tracks.clone()
    moved[:, :, 2] = 7.0
    torch.testing.assert_close(network.on(pairs)(moved, NOTHING), logits)
    torch.testing.assert_close(network.on(pairs.flip(1))(tracks, NOTHING), logits.flip(1))


def test_the_regression_finds_the_coefficients_of_known_causes() -> None:
    """With f = d and r = change, it is ridge regression: compared with the normal equations of one target."""
    network = made("regression")
    b, tracks = 4, random_batch(4, 12, 3).tracks
    found = network.coefficients(tracks)
    x, change = tracks[:, :-1], tracks[:, 1:] - tracks[:, :-1]
    seen = network.pair.one(network.view(x, PAIRS), 0).view(b, 11, 3, 2, -1)
    own = torch.cat([x, change, seen[..., EXPLAINED:].sum(3)], -1)
    said = network.own.one(own.flatten(0, 2), 0).view(b, 11, 3, -1)
    weight = said[..., -1:].exp()
    for task in range(b):
        f = (weight[task, :, 1, :, None] * seen[task, :, 1, :, :EXPLAINED].transpose(1, 2)).flatten(0, 1)
        r = (weight[task, :, 1] * said[task, :, 1, :-1]).flatten()
        ridge = RIDGE + F.softplus(network.ridge)
        w = torch.linalg.solve(f.T @ f + ridge * torch.eye(2), f.T @ r)
        torch.testing.assert_close(found[task, 2:4, 0].sinh(), w, rtol=1e-3, atol=1e-5)


def test_frames_that_were_not_observed_do_not_count_in_the_regression() -> None:
    network, tracks = made("regression"), random_batch(4, 12, 3).tracks
    marked = with_marks(tracks, 2)
    torch.testing.assert_close(network(marked, NOTHING), network(tracks, NOTHING))
    marked[:, 8:, :, 2] = 0.0
    torch.testing.assert_close(network(marked, NOTHING), network(tracks[:, :8], NOTHING))


def test_columns_are_the_outputs_of_the_network() -> None:
    pool, x = made("regression").pair, torch.randn(5, 9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(columns(pool, x), pool.one(x, 0).T)


def test_the_convolution_sees_frames_in_their_order() -> None:
    network, tracks = made("cnn"), random_batch(4, 12, 3).tracks
    assert not torch.allclose(network(tracks, NOTHING), network(tracks.flip(1), NOTHING), atol=1e-3)


def test_dropout_keeps_the_mean() -> None:
    x, generator = torch.ones(4, 3, 8), torch.Generator().manual_seed(0)
    layer = Perceptron(8, 64, generator, 0.5)
    plain = layer(x, learning=False)
    drawn = torch.stack([layer(x, learning=True) for _ in range(400)])
    torch.testing.assert_close(drawn.mean(0), plain, atol=0.15, rtol=0.3)
    assert (drawn[0] == 0).float().mean() > (plain == 0).float().mean()


def test_a_fifth_of_the_slots_but_at_least_one_is_hidden() -> None:
    z = random_structure(3000, 20, 3, torch.Generator().manual_seed(1))
    shown = one_hot(z, 3)
    for disguise in ("uniform", "flipped"):
        seen = StructureEncoder(20, 3, torch.Generator().manual_seed(0), disguise, hidden=4).disguised(z)
        hidden = (seen != shown).any(2)
        assert (hidden.sum(1) == 4).all()
        torch.testing.assert_close(hidden.float().mean(0), torch.full((20,), 0.2), atol=0.03, rtol=0)
        torch.testing.assert_close(seen.sum(2), torch.ones(3000, 20))
        if disguise == "uniform":
            torch.testing.assert_close(seen[hidden], torch.full((12000, 3), 1 / 3))
        else:
            # Hidden slots show one of the two other modules, with equal probability.
            assert (seen[hidden].max(1).values == 1).all()
            step = (seen.argmax(2) - z)[hidden] % 3
            assert (torch.bincount(step, minlength=3) / 12000).tolist() == pytest.approx([0, 0.5, 0.5], abs=0.02)
    assert made("uniform").count == 1


@pytest.mark.parametrize("disguise", ["uniform", "flipped"])
def test_the_structure_encoder_learns_how_slots_depend_on_each_other(disguise: str) -> None:
    """All slots of a task have the same module, so the other slots determine a hidden slot."""
    network = made(disguise, dropout=0.0)
    z = (torch.arange(200) % 2)[:, None].expand(200, 6)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5, momentum=0.9)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(network(torch.empty(0), z, learning=True).flatten(0, 1), z.flatten()).backward()
        optimizer.step()
    assert (network(torch.empty(0), z).argmax(-1) == z).all()
