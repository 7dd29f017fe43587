"""Settings: how missing values are chosen, and that files keep all settings."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import yaml

from bouncegrad.data.errors import InputError
from bouncegrad.settings.config import Config
from bouncegrad.settings.resolved import chosen_search, resolve
from bouncegrad.settings.values import fits, in_words

SHAPE = (1000, 49, 5, 4)


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({}, {"annealer": "geometric", "temperature": 30.0, "loss": "likelihood", "steps": 1, "segments": 4}),
        ({}, {"optimizer": "muon", "learning_rate": 0.01}),
        ({"epochs": 150}, {"learning_rate": 0.01}),
        ({"epochs": 75}, {"learning_rate": 0.01 * math.sqrt(2)}),
        ({"epochs": 9}, {"learning_rate": 0.02}),
        ({"minutes": 0.3}, {"learning_rate": 0.01 * math.sqrt(2)}),
        ({"loss": "rollout"}, {"optimizer": "adam", "learning_rate": 0.003}),
        ({"search": "paper"}, {"annealer": "tracked", "temperature": 5.5e-5, "loss": "rollout", "steps": 10}),
        ({"search": "paper", "annealer": "fixed"}, {"temperature": 1.0}),
        ({"search": "paper", "annealer": "residual"}, {"temperature": 5.5e-5, "loss": "rollout"}),
        ({"search": "paper", "loss": "likelihood"}, {"steps": 1, "segments": 4}),
        ({"search": "paper", "loss": "likelihood", "steps": 3}, {"steps": 3, "optimizer": "muon"}),
        ({}, {"evidence": 1 - 4 / (1.6 * 48)}),
        ({"segments": 1}, {"evidence": 0.95}),
        ({"segments": 100}, {"evidence": 0.0}),
        ({"evidence": 0.5}, {"evidence": 0.5}),
        ({"loss": "rollout"}, {"steps": 10, "segments": 0}),
        ({"epochs": 3}, {"epochs": 3, "minutes": None}),
        ({"epochs": 3, "minutes": 2.0}, {"epochs": 3, "minutes": None}),
        ({}, {"epochs": None, "minutes": 5.0}),
    ],
)
def test_values_that_are_chosen_from_the_data(given, chosen):
    resolved = resolve(Config(**given), SHAPE)
    assert {name: getattr(resolved, name) for name in chosen} == chosen
    assert resolve(resolved, SHAPE) == resolved


def test_few_frames_limit_chosen_values_and_refuse_given_ones():
    assert resolve(Config(search="paper"), (3, 4, 5, 4)).steps == 3
    assert resolve(Config(), (3, 4, 5, 4)).segments == 3
    with pytest.raises(InputError, match="4 steps need 5 frames, the data has 4"):
        resolve(Config(search="paper", steps=4), (3, 4, 5, 4))


@pytest.mark.parametrize("given", [{}, {"learning_rate": 1e-7, "edge_hidden": (3, 4), "seed": 2**63 - 1}])
def test_settings_survive_a_file(given):
    for config in (Config(**given), resolve(Config(**given), SHAPE)):
        assert type(config).from_mapping(yaml.safe_load(config.to_yaml()), "file") == config


@pytest.mark.parametrize(
    ("value", "hint", "fit"),
    [
        (3, int, True),
        (3, float, True),
        (3.0, int, False),
        (True, int, False),
        (False, float, False),
        (float("nan"), float, False),
        ("3", int, False),
        (None, int | None, True),
        (None, int, False),
        ("b", Literal["a", "b"] | None, True),
        ("c", Literal["a", "b"], False),
        (1, Literal["a", "b"], False),
        ((1, 2), tuple[int, ...], True),
        ((1, 2.5), tuple[int, ...], False),
        (1, tuple[int, ...], False),
    ],
)
def test_whether_a_value_fits_its_type(value, hint, fit):
    assert fits(value, hint) is fit


def test_kinds_of_values_in_words():
    assert in_words(int | None) == "a whole number"
    assert in_words(Literal["silu", "relu"]) == "silu or relu"
    assert in_words(tuple[int, ...]) == "a list of whole numbers"


@pytest.mark.parametrize(
    ("shape", "steps"), [(SHAPE, 600), ((1000, 49, 8, 4), 1152), ((20, 49, 5, 4), 600), ((50000, 49, 8, 4), 1152)]
)
def test_the_cooling_shows_three_tracks_of_each_task(shape, steps):
    assert resolve(Config(), shape).cooling == steps


@pytest.mark.parametrize(
    ("given", "shape", "search", "says"),
    [
        ({}, (100, 49, 8, 4), "heat-bath", ""),
        ({}, (100, 49, 9, 4), "joint-draws", "too many edges"),
        ({"edge_types": 3}, (100, 49, 6, 4), "joint-draws", "too many edges"),
        ({"candidates": 5}, (100, 49, 40, 4), "heat-bath", ""),
        ({"symmetric": True}, (100, 49, 5, 4), "heat-bath", ""),
        ({"symmetric": True}, (100, 49, 6, 4), "joint-draws", "too many edges"),
        ({"entity_types": 2}, (100, 49, 9, 4), "heat-bath", ""),
        ({"shared_graph": True}, (50, 200, 15, 1), "heat-bath", ""),
        ({}, (50_000, 49, 50, 4), "heat-bath", "would not fit into memory"),
        ({"shared_graph": True}, (50_000, 49, 50, 4), "joint-draws", "too many edges"),
    ],
)
def test_the_search_is_the_cheaper_one(given, shape, search, says) -> None:
    found, why = chosen_search(Config(**given), shape, "likelihood")
    assert found == search
    assert says in why
    assert bool(why) == bool(says)
    assert resolve(Config(**given), shape).search == search


def test_joint_draws_cool_fewer_tasks_the_more_entities_they_have() -> None:
    few = [resolve(Config(), (5000, 49, entities, 4)).cooling_tasks for entities in (5, 10, 20, 50)]
    assert few == [1024, 512, 256, 128]
    assert resolve(Config(cooling_tasks=77), (5000, 49, 20, 4)).cooling_tasks == 77
    assert resolve(Config(shared_graph=True), (5000, 49, 20, 4)).cooling_tasks == 1024


def test_the_cooling_of_shared_graphs_is_slow() -> None:
    assert resolve(Config(shared_graph=True), (60, 5, 50, 1)).cooling == 50_000
    assert resolve(Config(shared_graph=True), (60, 5, 5, 1)).cooling == 600
