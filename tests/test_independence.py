"""Results do not depend on what they must not see: labels, later frames, other tasks, formats, units."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from bouncegrad.core.compositions.graph_settings import Place
from bouncegrad.core.structures import edge_index
from bouncegrad.data.formats import load, save
from bouncegrad.data.scaling import Scaling
from bouncegrad.data.simulate import simulate
from bouncegrad.estimator import RelationalInference
from bouncegrad.models.model import Model
from bouncegrad.results.result import Result
from bouncegrad.runs.folder import Run
from bouncegrad.settings.build import CompositionSetup, build, build_composition
from bouncegrad.settings.config import Config
from bouncegrad.settings.resolved import resolve

OFF = ~np.eye(4, dtype=bool)
# Every search is tried on the same tasks; small modules keep this short.
SMALL = {"epochs": 30, "threads": 1, "edge_hidden": [32], "node_hidden": [32]}
SEARCHES = {
    "heat bath": {},
    "paper": {"search": "paper", "proposal": "learned", "steps": 2, "epochs": 8},
    "both encoders": {
        **{"search": "paper", "proposal": "learned", "encoder": "both", "move": "everything", "annealer": "residual"},
        **{"steps": 2, "epochs": 4},
    },
    "blocks": {"edge_types": 11, "epochs": 3, "segments": 2},
}


@pytest.fixture(scope="module")
def tasks():
    """64 tasks to learn from."""
    return simulate("springs", 64, entities=4, frames=25, seed=0)


@pytest.fixture(scope="module")
def new():
    """64 new tasks."""
    return simulate("springs", 64, entities=4, frames=25, seed=1)


@pytest.fixture(scope="module")
def model(tasks):
    return RelationalInference(seed=0, **SMALL).fit(tasks)


@pytest.fixture(scope="module")
def result(model, new):
    return model.infer(new)


def weights(model: RelationalInference) -> dict[str, torch.Tensor]:
    return dict(model.model_.composition.state_dict())


def same_weights(first: RelationalInference, second: RelationalInference) -> bool:
    one, two = weights(first), weights(second)
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def same_training(first: RelationalInference, second: RelationalInference) -> bool:
    return same_weights(first, second) and np.array_equal(first.structures_, second.structures_)


def same(first: Result, second: Result) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("edges", "probability", "loss"))


def test_the_model_is_neither_uninformed_nor_certain(result):
    """Equal results of an uninformed or a certain model would prove little."""
    first = result.probability[:, OFF, 0]
    assert ((first > 0.02) & (first < 0.98)).mean() > 0.3
    assert 0.1 < result.edges[:, OFF].mean() < 0.9


@pytest.mark.parametrize("search", SEARCHES)
def test_labels_reach_neither_training_nor_inference(tasks, new, search):
    """Users asked whether invented edges would change the result."""
    settings = SMALL | SEARCHES[search]
    shuffled = np.random.default_rng(0).integers(3, size=tasks.edges.shape) * OFF
    truths = tasks.edges, shuffled, None
    models = [RelationalInference(seed=0, **settings).fit(replace(tasks, edges=truth)) for truth in truths]
    assert same_training(models[0], models[1])
    assert same_training(models[0], models[2])
    few = new.select(range(4))
    assert same(models[0].infer(few), models[1].infer(replace(few, edges=shuffled[:4])))
    others = ("edge_accuracy", "proposal_accuracy", "seconds", "tasks_per_second")  # need the truth or the clock
    rows = [[{k: v for k, v in row.items() if k not in others} for row in model.history_] for model in models]
    assert rows[0] == rows[1] == rows[2]


@pytest.mark.parametrize("search", SEARCHES)
def test_a_seed_repeats_a_run(tasks, search):
    """Users asked for a seed that makes a search repeatable."""
    settings = SMALL | SEARCHES[search] | {"epochs": 2}
    part = tasks.select(range(20))
    models = [RelationalInference(seed=seed, **settings).fit(part) for seed in (0, 0, 1, 1)]
    assert same_training(models[0], models[1])
    assert same_training(models[2], models[3])
    assert not same_weights(models[0], models[2])
    assert not np.array_equal(models[0].structures_, models[2].structures_)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_is_used_as_it_is(tasks, seed):
    """Users asked for a seed; 0 is used like any other, although it is false in Python."""
    config, scaling = resolve(Config(seed=seed, annealer="fixed"), tasks.shape), Scaling.fit(tasks)
    pairs, generator = edge_index(4), torch.Generator().manual_seed(seed)
    built = build(config, tasks, scaling, pairs)[0].composition.state_dict()
    setup = CompositionSetup(Place(4, pairs), tasks.features, scaling, generator, config)
    drawn = build_composition(setup).state_dict()
    assert all(torch.equal(built[name], drawn[name]) for name in drawn)


def test_shared_random_states_are_neither_read_nor_changed(tasks, new):
    """Users asked for a search that depends on its own seed only."""
    part = tasks.select(range(10))

    def shared() -> list:
        return [
            torch.get_rng_state().tolist(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002
            random.getstate(),
            torch.get_num_threads(),
        ]

    results = []
    for seed in (1, 2):
        torch.manual_seed(seed), np.random.seed(seed), random.seed(seed)  # noqa: NPY002
        before = shared()
        for settings in SEARCHES.values():
            model = RelationalInference(seed=0, **SMALL | settings | {"epochs": 1, "threads": 2}).fit(part)
            results.append(model.infer(new.select(range(3))))
            model.predict(new.select(range(3)), steps=2)
        assert shared() == before
    assert all(same(one, two) for one, two in zip(results[: len(SEARCHES)], results[len(SEARCHES) :], strict=True))


@pytest.mark.parametrize("context", [2, 13])
def test_frames_after_the_context_change_nothing(model, new, context):
    few = new.select(range(20))
    expected = model.infer(few.frames(0, context))
    forecast = model.predict(few.frames(0, context), steps=3)
    rng = np.random.default_rng(0)
    for later in (rng.normal(size=few.x[:, context:].shape), np.nan, np.inf):
        x = few.x.copy()
        x[:, context:] = later
        changed = replace(few, x=x)
        assert same(model.infer(changed, context), expected)
        assert np.array_equal(model.predict(changed, steps=3, context=context), forecast)
    assert same(model.infer(few, context), expected)
    assert not np.array_equal(model.infer(few).probability, expected.probability)


def test_frames_after_the_context_change_nothing_on_the_command_line(command, work, springs):
    x = springs.x.copy()
    x[:, 11:] = np.nan
    np.savez("nan.npz", x=x)
    for name in ("springs.npz", "nan.npz"):
        assert command("infer", "run", name, "--context", 11, "--out", name[:-4]).status == 0
    assert same(Result.load("springs/result.npz"), Result.load("nan/result.npz"))
    assert (work / "springs" / "edges.csv").read_text() == (work / "nan" / "edges.csv").read_text()


def assert_same_answers(result: Result, other: Result, rows: slice) -> None:
    assert np.array_equal(other.edges, result.edges[rows])
    assert np.abs(other.probability - result.probability[rows]).max() <= 1e-5
    assert other.loss == pytest.approx(result.loss[rows], abs=1e-5)


@pytest.mark.parametrize("size", [1, 3, 16, 17, 64])
def test_a_task_alone_or_in_any_batch(model, new, result, size):
    """Users asked for parallel inference; it must give the same answers."""
    for start in range(0, 64, size) if size > 1 else range(0, 64, 5):
        rows = slice(start, min(start + size, 64))
        assert_same_answers(result, model.infer(new.select(range(rows.start, rows.stop))), rows)


def test_a_task_among_others_in_another_order(model, new, result):
    order = np.random.default_rng(0).permutation(64)
    assert_same_answers(replace_rows(result, order), model.infer(new.select(order)), slice(None))


def replace_rows(result: Result, order: np.ndarray) -> Result:
    return replace(
        result,
        edges=result.edges[order],
        probability=result.probability[order],
        loss=result.loss[order],
        tasks=tuple(result.tasks[i] for i in order),
    )


def test_alone_or_in_a_batch_where_blocks_are_annealed(tasks):
    """13 entities have too many fillings to enumerate, so inference draws random numbers; modules are untrained."""
    many = simulate("springs", 18, entities=13, frames=4, seed=2)
    model = RelationalInference(seed=3, **SMALL | {"epochs": 1}).fit(tasks.select(range(4)))
    result = model.infer(many)
    first = result.probability[:, ~np.eye(13, dtype=bool), 0]
    assert ((first > 0.02) & (first < 0.98)).mean() > 0.3
    for rows in (slice(0, 1), slice(7, 8), slice(17, 18), slice(2, 11)):
        assert_same_answers(result, model.infer(many.select(range(rows.start, rows.stop))), rows)
    assert same(model.infer(many.select([5])), model.infer(many.select([5])))


def test_array_archive_and_table_are_the_same_data(tasks, new, tmp_path):
    """Users reported that their own data needed a change of the source code; here all forms of data give the same."""
    part, few = tasks.select(range(12)), new.select(range(3))
    forms = []
    for data, name in ((part, "part"), (few, "few")):
        save(data, tmp_path / f"{name}.npz")
        save(data, tmp_path / f"{name}.csv")
        forms.append([data.x, load(tmp_path / f"{name}.npz"), load(tmp_path / f"{name}.csv"), list(data.x)])
    models = [RelationalInference(seed=0, **SMALL | {"epochs": 3}).fit(data) for data in forms[0]]
    assert all(same_training(models[0], other) for other in models[1:])
    results = [model.infer(data) for model, data in zip(models, forms[1], strict=True)]
    assert all(same(results[0], other) for other in results[1:])
    futures = [model.predict(data, steps=4) for model, data in zip(models, forms[1], strict=True)]
    assert all(np.array_equal(futures[0], other) for other in futures[1:])


def test_units_do_not_matter(tasks, new, model, result):
    def elsewhere(data):
        return replace(data, x=data.x * 100 + 1000)

    other = RelationalInference(seed=0, **SMALL).fit(elsewhere(tasks))
    found = other.infer(elsewhere(new))
    assert np.array_equal(found.edges, result.edges)
    assert np.abs(found.probability - result.probability).max() < 1e-3
    future, again = model.predict(new, steps=10), (other.predict(elsewhere(new), steps=10) - 1000) / 100
    assert again == pytest.approx(future, rel=1e-3, abs=1e-3 * future.std())


def test_a_run_on_disk_infers_what_the_estimator_infers(command, work, springs):
    """The command line and the estimator get the same settings and tasks."""
    held = Run("run").about()["held_out"]
    part = springs.select(np.setdiff1d(np.arange(24), held))
    here = RelationalInference(seed=0, epochs=20, threads=1).fit(part)
    assert same(here.infer(springs), Model.load("run").infer(springs))
    assert same(here.infer(springs), Result.load("result/result.npz"))
