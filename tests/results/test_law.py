"""Laws in bins of distance, and the figure of a law."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bouncegrad.results import plots, style
from bouncegrad.results.law import BINS, Law, law_of


def visits(count: int, dimensions: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Offsets in all directions at distances from 1 to 4, and the unit vectors along them."""
    generator = np.random.default_rng(0)
    line = generator.normal(size=(count, dimensions))
    line /= np.linalg.norm(line, axis=1, keepdims=True)
    return generator.uniform(1, 4, (count, 1)) * line, line


def made() -> Law:
    """Type 0 does nothing, type 1 pushes away by 1 / r^2 and turns to the left by 0.3."""
    offset, line = visits(4000)
    kind = np.arange(4000) % 2
    left = np.stack([-line[:, 1], line[:, 0]], axis=1)
    effect = kind[:, None] * (line / (offset**2).sum(1, keepdims=True) + 0.3 * left)
    return law_of(offset, offset, effect, kind, ("none", "push"))


def test_a_known_law_is_found_along_and_across_the_line() -> None:
    found = made()
    np.testing.assert_allclose(found.along[1, 1], 1 / found.distance[1] ** 2, rtol=0.02)
    np.testing.assert_allclose(found.across[1], 0.3)
    assert not found.along[0].any()
    assert not found.across[0].any()
    assert found.visits.tolist() == [2000, 2000]
    assert found.correlation(1, lambda r: 1 / r**2) > 0.9999
    assert np.isnan(found.correlation(0, lambda r: 0 * r))
    assert found.fast == 0
    turned = found.ordered([1, 0], ("push", "none"))
    np.testing.assert_array_equal(turned.along[0], found.along[1])


def test_in_three_dimensions_the_effect_across_the_line_is_a_size() -> None:
    offset, line = visits(1000, 3)
    aside = np.cross(line, [0.0, 0.0, 1.0])
    found = law_of(offset, offset, 2 * line + aside, np.zeros(1000, int), ("only",))
    np.testing.assert_allclose(found.along[0], 2)
    assert (found.across[0] > 0).all()
    assert found.across.max() <= 1 + 1e-12


def test_pairs_that_pass_within_a_frame_and_types_with_few_visits_are_left_out() -> None:
    offset, line = visits(1000)
    effect, later = line.copy(), offset.copy()
    effect[:250], later[:250] = 1e6, 1.6 * offset[:250]
    kind = np.arange(1000) // 999
    found = law_of(offset, later, effect, kind, ("often", "once"))
    assert found.fast == 0.25
    np.testing.assert_allclose(found.along[0], 1)
    assert found.types == [0]
    assert found.visits.tolist() == [749, 1]


def texts(svg: str) -> set[str]:
    return set(re.findall(r"<text[^>]*>([^<]*)</text>", svg))


def test_the_figure_shows_the_law_in_line_style_marker_and_name() -> None:
    figure, ax = style.figure(5, 3)
    found = made()
    plots.law(found, ax, [lambda r: 0 * r, lambda r: 1 / r**2])
    lines = {line.get_label(): line for line in ax.get_lines()}
    np.testing.assert_array_equal(
        lines["push, along"].get_xydata(), np.stack([found.distance[1], found.along[1, 1]], 1)
    )
    assert lines["push, along"].get_marker() != lines["none, along"].get_marker()
    assert lines["push, along"].get_linestyle() != lines["none, along"].get_linestyle()
    said = texts(style.svg(figure, "law", "l"))
    assert {"none, along", "none, across", "push, along", "push, across", "true", "distance"} <= said


@pytest.mark.parametrize("strongest", [5.0, 500.0])
def test_only_effects_far_stronger_than_all_others_are_not_drawn(strongest: float) -> None:
    along = np.ones((1, 3, BINS))
    along[..., 0] = strongest
    found = Law(np.arange(1.0, BINS + 1)[None], along, 0 * along, np.array([999]), 0.0, ("0",))
    figure, ax = style.figure(5, 3)
    plots.law(found, ax)
    assert ("strongest, not drawn: 500" in texts(style.svg(figure, "law", "l"))) == (strongest > 12)
    assert (ax.get_ylim()[1] > strongest) == (strongest < 12)


def test_a_law_without_visits_is_not_available() -> None:
    offset, line = visits(5)
    figure, ax = style.figure(5, 3)
    plots.law(law_of(offset, offset, line, np.zeros(5, int), ("0",)), ax)
    assert "not available" in texts(style.svg(figure, "law", "l"))
