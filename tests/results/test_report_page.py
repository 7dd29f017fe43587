"""The report is one complete, well-formed file; it can be read without a truth, recordings or a network."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.numbers import Number, written
from bouncegrad.results.report import Report, write_report
from bouncegrad.results.report_figures import choose_tasks
from bouncegrad.results.result import Result

from .conftest import sure_of
from .graphs import blocks, random_graph

SECTIONS = ["run", "tasks", "player", "law", "numbers", "training", "confusion", "reliability", "undetermined"]
VOID = {"meta", "br", "img", "link", "hr", "input"}


class Page(HTMLParser):
    """Checks that elements are closed in order, and collects elements and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.starts: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.starts.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.starts.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "svg", "script"} & set(self.open):
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.starts if name == tag]

    @property
    def figures(self) -> list[dict[str, str | None]]:
        """Drawings with a description; drawings of legends are hidden from screen readers."""
        return [drawing for drawing in self.all("svg") if "aria-hidden" not in drawing]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def page_of(content: Report, folder: Path) -> tuple[Page, str]:
    write_report(content, folder / "report.html")
    raw = (folder / "report.html").read_text(encoding="utf-8")
    return Page(raw), raw


def test_a_full_report_is_well_formed_and_has_every_section(full: Report, tmp_path: Path) -> None:
    page, raw = page_of(full, tmp_path)
    assert [section["id"] for section in page.all("section")] == SECTIONS
    assert len(page.all("h1")) == 1
    assert len(page.all("h2")) == len(SECTIONS)
    for words in ("Springs & <friends>", "Seed", "0.9432", "3.100 × 10⁻⁸", "0.8700", "least squares", "free-running"):
        assert words in page.text
    assert "inferred type 1 corresponds to true type 0, inferred type 0 corresponds to true type 1." in page.text
    assert page.text.count("12 of 12 edges correct") == 6
    assert "Inference used the first 10 frames." in page.text
    assert len(raw) < 5e6


def test_a_report_makes_no_request(full: Report, tmp_path: Path) -> None:
    page, raw = page_of(full, tmp_path)
    assert not page.all("link")
    assert all("src" not in script for script in page.all("script"))
    assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket|import\(", raw)
    for _, attributes in page.starts:
        for name, value in attributes.items():
            if name in {"src", "href", "xlink:href", "action", "poster"}:
                assert (value or "").startswith(("#", "data:")), (name, value)
    assert not re.search(r"@import|url\((?!#)", raw)


def test_every_figure_is_described_and_ids_are_unique(full: Report, tmp_path: Path) -> None:
    page, _ = page_of(full, tmp_path)
    figures = page.figures
    # three curves against epochs and time, horizon, player, three figures of six tasks, calibration
    assert len(figures) == 2 * 3 + 1 + 1 + 6 * 3 + 1
    assert all(figure["role"] == "img" and len(figure["aria-label"] or "") > 20 for figure in figures)
    assert all(image.get("alt") for image in page.all("img"))
    assert len(page.all("figcaption")) == len(page.all("figure")) == len(figures)
    ids = [attributes["id"] for _, attributes in page.starts if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.starts:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids


def test_the_drawn_graph_is_the_inferred_one_with_the_true_labels(full: Report, tmp_path: Path) -> None:
    page, _ = page_of(full, tmp_path)
    assert full.data is not None
    assert full.data.edges is not None
    ids = [attributes["id"] or "" for _, attributes in page.starts if "id" in attributes]
    found = {i for i in ids if i.startswith("inferred-7-edge")}
    assert found == {f"inferred-7-edge-{s}-{t}-type-1" for s, t in np.argwhere(full.data.edges[7])}


def test_a_report_without_truth_states_it(full: Report, tmp_path: Path) -> None:
    assert full.data is not None
    bare = replace(full, data=full.data.without_edges(), perm=None, numbers=(Number("Edge accuracy", None),))
    page, _ = page_of(bare, tmp_path)
    at = SECTIONS.index("numbers")
    assert [section["id"] for section in page.all("section")] == [*SECTIONS[:at], "scores", *SECTIONS[at:]]
    assert page.text.count("not available: the truth is unknown") == 2
    assert "The true graphs are not available." in page.text
    assert re.search(r"Edge accuracy\s+not available", page.text)
    assert "nan" not in page.text.lower().split()
    assert not any((figure["aria-label"] or "").startswith("True graph") for figure in page.figures)


def test_numbers_with_other_baselines_have_a_table_of_their_own(full: Report, tmp_path: Path) -> None:
    page, _ = page_of(full, tmp_path)
    assert len([table for table in page.all("table") if table["class"] == "numbers"]) == 2
    unmeasured = replace(full, numbers=(full.numbers[0], Number("AUROC", 0.9), *full.numbers[1:]))
    page, _ = page_of(unmeasured, tmp_path)
    assert len([table for table in page.all("table") if table["class"] == "numbers"]) == 2


def test_an_empty_report_still_has_every_section(tmp_path: Path) -> None:
    page, _ = page_of(Report("Nothing yet"), tmp_path)
    assert [section["id"] for section in page.all("section")] == SECTIONS
    assert page.text.count("not available") == len(SECTIONS)


def test_many_entities_and_frames_stay_small(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    data = Trajectories(np.cumsum(generator.normal(size=(6, 1000, 40, 4)), axis=1))
    probability = generator.dirichlet([1, 1], (6, 40, 40)) * (1 - np.eye(40))[:, :, None]
    page, raw = page_of(Report("Big", data=data, result=Result.from_probability(probability, np.ones(6), 9)), tmp_path)
    assert len(page.figures) == 1 + 3 * 6  # the player; matrix, drawing and tracks of six tasks
    assert len(raw) < 5e6


def many(graph: np.ndarray, names: tuple[str, ...] = ()) -> Report:
    """A report of two tasks with the same graph; the second one is inferred without errors."""
    edges = np.stack([graph, graph])
    x = np.cumsum(np.random.default_rng(0).normal(size=(2, 60, len(graph), 4)), axis=1)
    data = Trajectories(x, edges=edges, entities=names)
    found = edges.copy()
    found[(0, *np.argwhere(graph)[0])] = 0
    result = Result.from_probability(sure_of(found, 2, 0.9), np.array([2.0, 1.0]), 49, entities=data.entities)
    return Report("Many", data=data, result=result, draw=2)


def test_many_entities_have_matrices_in_one_order_a_drawing_and_lists_of_communities(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(20)
    names = tuple(f"n{i}" for i in range(20))
    content = many(blocks([11, 8, 1], 1.0, 0.0)[np.ix_(order, order)], names)
    page, raw = page_of(content, tmp_path)
    for words in (
        "Rows and columns are ordered by 2 communities of 11 and 8 entities, with thin lines between them.",
        "The last entity has no edges. Crosses mark wrong edges.",
        "True graph as a matrix, in the order of the inferred graph.",
        "Inferred graph as a drawing: all 166 edges. Each community has a disc with its number.",
    ):
        assert words in page.text
    listed = re.findall(r"<dt>(Community \d|Without edges)</dt><dd>([^<]*)</dd>", raw)
    assert [name for name, _ in listed] == ["Community 1", "Community 2", "Without edges"] * 2
    groups = [{order[names.index(name)] for name in entities.split(", ")} for _, entities in listed[3:]]
    assert groups == [set(range(11)), set(range(11, 19)), {19}]
    sides = []
    for prefix in ("inferred-1-matrix", "inferred-1-truth"):
        (svg,) = re.findall(rf'<svg(?:(?!</svg>).)*id="{prefix}-axes_1".*?</svg>', raw, re.DOTALL)
        sides.append(re.findall(r">(n\d+)</text>", svg))
    assert sides[0] == sides[1] == 2 * [name for _, entities in listed[3:] for name in entities.split(", ")]


def test_a_graph_of_many_entities_without_communities_says_so(tmp_path: Path) -> None:
    content = many(random_graph(30, 0.1, 0))
    page, _ = page_of(replace(content, data=content.data.without_edges(), perm=None), tmp_path)  # type: ignore[union-attr]
    assert page.text.count("No communities were found; rows and columns are in the order of the data.") == 2
    assert "type 0, the most frequent one, is not drawn." in page.text
    assert not page.all("details")


def test_the_player_has_no_edges_of_entities_that_are_not_in_a_task(full: Report, tmp_path: Path) -> None:
    assert full.data is not None
    assert full.data.edges is not None
    mask = np.ones(full.data.x.shape[:3], bool)
    mask[7, :, 2] = False
    _, raw = page_of(replace(full, data=replace(full.data, mask=mask)), tmp_path)
    (text,) = re.findall(r'id="player-data">(.*?)</script>', raw, re.DOTALL)
    first = json.loads(text)["tasks"][0]
    expected = {(s, t) for s, t in np.argwhere(full.data.edges[7]).tolist() if 2 not in (s, t)}
    for name in ("edges", "truth"):
        assert {(s, t) for s, t, *_ in first[name]} == expected


def test_a_task_of_100_entities_takes_little_of_a_page(tmp_path: Path) -> None:
    """Six tasks stay below 10 MB."""
    content = many(random_graph(100, 0.5, 0))
    (tmp_path / "none").mkdir()
    _, without = page_of(replace(content, draw=0), tmp_path / "none")
    _, raw = page_of(content, tmp_path)
    assert (len(raw) - len(without)) / 2 < 1.5e6


def test_half_of_the_tasks_have_a_high_loss_half_are_typical_and_both_are_ordered() -> None:
    loss = np.array([5.0, 1.0, 1.08, 0.9, np.nan, 1.05, 0.0])
    chosen = choose_tasks(loss, 4)
    assert [task for task, _ in chosen] == [4, 0, 2, 5]
    assert [why.split(":")[0] for _, why in chosen] == ["high loss"] * 2 + ["typical"] * 2
    assert [task for task, _ in choose_tasks(np.zeros(1), 6)] == [0]
    assert sorted(task for task, _ in choose_tasks(loss, 50)) == list(range(7))


def test_data_and_result_must_match(full: Report) -> None:
    assert full.data is not None
    with pytest.raises(InputError, match="the result has 8 tasks of 4 entities, but the data has 3 of 4"):
        replace(full, data=full.data.select([0, 1, 2]))


def test_numbers_are_formatted() -> None:
    cases = [(0.5, "0.5000"), (1234.0, "1234"), (-0.25, "−0.2500"), (2e5, "2.000 × 10⁵"), (0.0, "0"), (7, "7")]
    assert [written(value) for value, _ in cases] == [text for _, text in cases]
    assert written(float("nan")) == written(None) == "not available"
