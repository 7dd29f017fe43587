"""Results: a type for every edge, a probability for every type, and their file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.results.result import ONE_GRAPH, PINNED, Result
from bouncegrad.settings import config


def test_the_type_is_the_arg_max_and_probabilities_sum_to_one(result: Result) -> None:
    """Users reported that they could not distinguish sampled edges from edge probabilities."""
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_array_equal(result.edges, result.probability.argmax(-1) * off)
    np.testing.assert_allclose(result.probability.sum(-1)[:, off], 1.0, atol=1e-12)
    assert not result.probability[:, ~off].any()
    assert result.type_names == ("0", "1")
    assert result.tasks == tuple("01234567")


def test_single_precision_is_accepted_and_its_rounding_removed() -> None:
    generator = np.random.default_rng(0)
    probability = (
        generator.dirichlet(np.ones(9), (2, 5, 5)).astype(np.float32) * (1 - np.eye(5, dtype=np.float32))[:, :, None]
    )
    result = Result.from_probability(probability, np.zeros(2), 5)
    np.testing.assert_allclose(result.probability.sum(-1), 1 - np.eye(5)[None].repeat(2, 0), atol=1e-12)


def test_edges_without_a_probable_type_are_undetermined() -> None:
    probability = np.zeros((1, 2, 2, 2))
    probability[0, 0, 1], probability[0, 1, 0] = (0.74, 0.26), (0.25, 0.75)
    result = Result.from_probability(probability, np.zeros(1), 5)
    assert result.undetermined.tolist() == [[[False, True], [False, False]]]


def test_round_trip(result: Result, tmp_path: Path) -> None:
    named = replace(result, tasks=tuple("abcdefgh"), type_names=("none", "spring"))
    named.save(tmp_path / "deep" / "result.npz")
    loaded = Result.load(tmp_path / "deep" / "result.npz")
    for field in ("edges", "probability", "loss"):
        np.testing.assert_array_equal(getattr(loaded, field), getattr(named, field))
    for field in ("context", "tasks", "entities", "type_names"):
        assert getattr(loaded, field) == getattr(named, field)
    assert loaded.source.endswith("result.npz")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["result.npz"]


def test_a_name_without_suffix_is_kept(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "result")
    assert Result.load(tmp_path / "result").context == 10


@pytest.mark.parametrize("kind", ["text", "empty", "array", "other npz", "objects", "cut", "folder", "missing"])
def test_other_files_are_refused_in_one_line(kind: str, result: Result, tmp_path: Path) -> None:
    path = tmp_path / "result.npz"
    if kind == "text":
        path.write_text("task,source,target\n")
    elif kind == "empty":
        path.touch()
    elif kind == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "other npz":
        np.savez(path, x=np.zeros(3))
    elif kind == "objects":
        np.savez(path, format_version=np.array([{}], dtype=object))
    elif kind == "cut":
        result.save(path)
        path.write_bytes(path.read_bytes()[:300])
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(InputError, match=r"result\.npz: (not a result file|no such file)") as error:
        Result.load(path)
    assert "\n" not in str(error.value)


def test_a_flipped_byte_is_refused_in_one_line_or_changes_nothing(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "result.npz"
    result.save(path)
    whole = bytearray(path.read_bytes())
    messages = []
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            np.testing.assert_array_equal(Result.load(path).probability, result.probability)
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > len(whole) / 7 / 2
    assert not any("\n" in message for message in messages)


def test_a_newer_format_and_a_missing_key_are_named(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "result.npz")
    with np.load(tmp_path / "result.npz") as file:
        parts = dict(file)
    np.savez(tmp_path / "newer.npz", **(parts | {"format_version": np.array(99)}))
    with pytest.raises(InputError, match="result format 99, this version reads up to 1; upgrade"):
        Result.load(tmp_path / "newer.npz")
    del parts["loss"]
    np.savez(tmp_path / "less.npz", **parts)
    with pytest.raises(InputError, match="'loss' is missing"):
        Result.load(tmp_path / "less.npz")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("edges", np.zeros((8, 4, 3), int), r"edges must be whole numbers of shape \(8, 4, 4\)"),
        ("edges", np.zeros((8, 4, 4)), "edges must be whole numbers"),
        ("edges", np.ones((8, 4, 4), int), r"edge type 1 at \(task, source, target\) \(0, 0, 0\)"),
        ("probability", np.zeros((8, 4, 4, 2)), "must sum to 1"),
        ("probability", np.full((8, 4, 4, 2), np.nan), "must sum to 1"),
        ("probability", np.zeros((8, 4, 4)), "needs the axes"),
        ("loss", np.zeros(7), r"loss must be decimal numbers of shape \(8,\)"),
        ("context", 0, "context is 0"),
        ("tasks", ("a",) * 8, "tasks needs 8 different names"),
        ("entities", ("a", "b"), "entities needs 4 different names"),
        ("type_names", ("a", "b", "c"), "type_names needs 2 different names"),
    ],
)
def test_parts_that_do_not_fit_are_refused(result: Result, field: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(result, **{field: value})


def test_edges_that_are_not_the_arg_max_are_refused(result: Result) -> None:
    with pytest.raises(InputError, match="take the arg-max"):
        replace(result, edges=(1 - result.edges) * (1 - np.eye(4, dtype=int)))


def test_probabilities_are_read_back_exactly(tmp_path) -> None:
    """Sums are 1 up to rounding errors. A division by them would change the last digits at each reading."""
    generator = np.random.default_rng(0)
    probability = generator.dirichlet(np.full(3, 0.1), (40, 4, 4)) * (1 - np.eye(4))[..., None]
    result = Result.from_probability(probability, np.zeros(40), 9)
    result.save(tmp_path / "result.npz")
    np.testing.assert_array_equal(Result.load(tmp_path / "result.npz").probability, result.probability)


def test_what_was_stated_beforehand_tells_the_type_of_absence_and_a_common_graph(result: Result) -> None:
    assert PINNED == config.PINNED
    assert ONE_GRAPH in config.Config(shared_graph=True).priors
    assert (result.without_type, result.one_graph) == (None, False)
    same = np.broadcast_to(result.probability[:1], result.probability.shape)
    stated = Result.from_probability(same, result.loss, 5, priors=(ONE_GRAPH, PINNED))
    assert (stated.without_type, stated.one_graph) == (0, True)
    assert not replace(stated, priors=(PINNED,)).one_graph
    assert not replace(stated, probability=result.probability, edges=result.edges).one_graph  # several groups


def test_what_held_out_frames_chose_is_not_said_to_be_stated(tmp_path):
    same = np.zeros((1, 2, 2, 2))
    same[0, [0, 1], [1, 0]] = 0.5
    result = Result.from_probability(same, np.zeros(1), 5, priors=("symmetric", PINNED))
    assert result.origins == {"stated beforehand": f"symmetric, {PINNED}"}
    chosen = replace(result, chosen=(PINNED,))
    assert chosen.origins == {"stated beforehand": "symmetric", "chosen by held-out frames": PINNED}
    assert chosen.without_type == 0
    chosen.save(tmp_path / "result.npz")
    again = Result.load(tmp_path / "result.npz")
    assert (again.priors, again.chosen, again.unlike) == (chosen.priors, (PINNED,), ())
