"""The report opened in a browser: it runs without errors or requests, the player plays, nothing overflows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.law import law_of
from bouncegrad.results.player import MOST
from bouncegrad.results.report import Report, write_report
from bouncegrad.results.result import Result

from ..measuring import HANG

LONG = "a_name_without_any_place_to_break_it_" * 3
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
# Finds elements whose text is outside the page, or outside their picture. Tables may be scrolled.
STICK_OUT = """
const found = [];
for (const part of document.querySelectorAll("body *")) {
  if (part.closest(".wide, script, style, option, noscript") || !part.getClientRects().length) continue;
  const own = [...part.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  if (!own) continue;
  const box = part.getBoundingClientRect();
  const out = part.closest("svg") ? part.closest("svg").getBoundingClientRect() : {left: 0, right: innerWidth};
  if (box.left < out.left - 2 || box.right > out.right + 2) found.push(part.textContent.trim().slice(0, 60));
}
return [document.documentElement.scrollWidth <= innerWidth, found];
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium of Debian, without a window."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium, of the extra dev")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs chromium and chromedriver (Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield started
    started.quit()


@pytest.fixture
def page(browser: Any, full: Report, tmp_path: Path) -> Callable[..., Path]:
    """Writes a report with all possible parts, and opens it."""

    def opened(**changes: Any) -> Path:
        write_report(replace(complete(full), **changes), tmp_path / "report.html")
        for log in ("browser", "performance"):
            browser.get_log(log)
        browser.get((tmp_path / "report.html").as_uri())
        return tmp_path / "report.html"

    return opened


def complete(full: Report) -> Report:
    """Adds a law, shares of types, and forecasts of two tasks."""
    assert full.data is not None
    offset = np.random.default_rng(0).normal(size=(900, 2))
    some = full.data.select([7, 6])
    x = np.repeat(some.x[:, 9:10], 2, axis=1)
    forecast = Forecast.of(some.frames(0, 10), x, x - 0.1, x + 0.1)
    law = law_of(offset, offset, -offset, np.arange(900) % 2, ("0", "1"))
    shares = tuple({**row, "shares": [0.4, 0.6]} for row in full.curves)
    return replace(full, law=law, true_law=(lambda r: -r, lambda r: -r), forecast=forecast, curves=shares)


def width_of(browser: Any, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def one(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def test_no_error_and_no_request_beyond_the_file(browser: Any, page: Callable[..., Path]) -> None:
    path = page()
    one(browser, ".player-play").click()
    assert browser.get_log("browser") == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [entry["params"]["request"]["url"] for entry in sent if entry["method"] == "Network.requestWillBeSent"]
    assert [url for url in urls if not url.startswith("chrome:")] == [path.as_uri()]
    assert path.stat().st_size <= 1e7


def test_each_figure_is_visible(browser: Any, page: Callable[..., Path]) -> None:
    page()
    ids = {part.get_attribute("id") for part in browser.find_elements("css selector", "section")}
    assert {"law", "player", "tasks", "reliability", "undetermined"} <= ids
    figures = browser.find_elements("css selector", "figure > svg")
    labels = [figure.get_attribute("aria-label") for figure in figures]
    for start in (
        "Learned change",
        "Moving tracks",
        "Forecast of task",
        "Inferred graph",
        "True graph",
        "Share of correct edges",
    ):
        assert any(label.startswith(start) for label in labels), start
    assert any(label.startswith("share of each type against epoch") for label in labels)
    assert all(figure.size["width"] > 100 and figure.size["height"] > 60 for figure in figures)


def test_the_player_plays_pauses_and_is_moved_by_keys(browser: Any, page: Callable[..., Path], full: Report) -> None:
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    assert full.data is not None
    page(data=replace(full.data, x=full.data.x.repeat(50, axis=1)), forecast=None, curves=(), errors={})
    play, scrub, status = (one(browser, f".player-{name}") for name in ("play", "scrub", "at"))

    def frame() -> int:
        return int(scrub.get_property("value"))

    assert (frame(), status.text) == (9, "frame 10 of 600, used by inference")
    scrub.send_keys(Keys.HOME)
    mark = one(browser, ".player-stage .mark")
    assert frame() == 0
    before = mark.get_attribute("transform")
    play.click()
    assert play.text == "Pause"
    WebDriverWait(browser, HANG).until(lambda _: frame() >= 60)
    play.click()
    stopped = frame()
    assert play.text == "Play"
    assert mark.get_attribute("transform") != before
    scrub.send_keys(Keys.ARROW_LEFT)
    assert frame() == stopped - 1
    scrub.send_keys(Keys.END, Keys.ARROW_LEFT)
    play.send_keys(Keys.SPACE)
    WebDriverWait(browser, HANG).until(lambda _: play.text == "Play" and frame() == 599)  # it stops at the end
    assert status.text == "frame 600 of 600, not used by inference"


def test_the_player_shows_edges_from_source_to_target_and_other_tasks(
    browser: Any, page: Callable[..., Path], systems: Trajectories
) -> None:
    page()

    def shown() -> set[tuple[int, ...]]:
        parts = browser.find_elements("css selector", ".player-stage .edge")
        return {tuple(map(int, part.get_attribute("data-edge").split("-"))) for part in parts}

    def true(task: int) -> set[tuple[int, ...]]:
        assert systems.edges is not None
        return {(int(s), int(t), 1) for s, t in np.argwhere(systems.edges[task])}

    assert shown() == true(7)  # inferred edges are shown with the true labels
    one(browser, ".player-truth").click()
    assert shown() == true(7)
    options = browser.find_elements("css selector", ".player-task option")
    assert [option.text for option in options] == ["7", "6", "5", "4", "3", "2"]
    options[1].click()
    assert shown() == true(6)
    s, t, _ = min(true(6))
    place = lambda n: np.array(  # noqa: E731
        browser.execute_script(
            "const m = document.querySelectorAll('.player-stage .mark')[arguments[0]].transform.baseVal[0].matrix;"
            "return [m.e, m.f]",
            n,
        )
    )
    head = browser.execute_script(
        "const b = document.querySelector(`[data-edge='${arguments[0]}']`).nextSibling.getBBox();"
        "return [b.x + b.width / 2, b.y + b.height / 2]",
        f"{s}-{t}-1",
    )
    assert np.linalg.norm(place(t) - head) < np.linalg.norm(place(s) - head)


def shown_edges(browser: Any) -> list[tuple[int, int, int]]:
    parts = browser.find_elements("css selector", ".player-stage .edge")
    return [tuple(map(int, part.get_attribute("data-edge").split("-"))) for part in parts]


def many(full: Report, entities: int) -> dict[str, Any]:
    """Changes a report to one of two tasks of many entities, with probabilities from 0.5 to 1, and without a truth."""
    generator = np.random.default_rng(0)
    data = Trajectories(np.cumsum(generator.normal(size=(2, 30, entities, 4)), axis=1))
    sure = generator.uniform(0, 1, (2, entities, entities))
    probability = np.stack([1 - sure, sure], axis=-1) * (1 - np.eye(entities))[:, :, None]
    found = Result.from_probability(probability, np.array([2.0, 1.0]), 9, priors=full.result.priors)  # type: ignore[union-attr]
    return {"data": data, "result": found, "perm": None, "without_type": 0, "forecast": None, "curves": (), "law": None}


def test_weak_edges_are_hidden_at_first_if_there_are_many_entities(
    browser: Any, page: Callable[..., Path], full: Report
) -> None:
    page()
    least, shown = one(browser, ".player-least"), one(browser, ".player-shown")
    assert least.get_property("value") == "0"
    assert shown.text == f"0.00: {len(shown_edges(browser))} of {len(shown_edges(browser))} edges"
    assert not browser.find_elements("css selector", ".player-entity")
    content = many(full, 20)
    page(**content)
    least, shown = one(browser, ".player-least"), one(browser, ".player-shown")
    sure = content["result"].probability[0, ..., 1].round(3)
    assert {(s, t) for s, t, _ in shown_edges(browser)} == {(s, t) for s, t in np.argwhere(sure >= 0.75).tolist()}
    assert shown.text == f"0.75: {(sure >= 0.75).sum()} of {(sure > 0.5).sum()} edges"


def test_the_slider_hides_edges_and_is_moved_by_keys(browser: Any, page: Callable[..., Path], full: Report) -> None:
    from selenium.webdriver.common.keys import Keys

    content = many(full, 20)
    page(**content)
    least = one(browser, ".player-least")
    sure = content["result"].probability[0, ..., 1].round(3)
    assert least.accessible_name.startswith("hide edges below")
    least.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert least.get_property("value") == "0.77"
    assert len(shown_edges(browser)) == (sure >= 0.77).sum() < (sure >= 0.75).sum()
    assert least.get_attribute("aria-valuetext") == f"0.77: {(sure >= 0.77).sum()} of {(sure > 0.5).sum()} edges"
    least.send_keys(Keys.HOME)
    assert len(shown_edges(browser)) == (sure > 0.5).sum()
    one(browser, ".player-scrub").send_keys(Keys.ARROW_RIGHT)
    assert len(shown_edges(browser)) == (sure > 0.5).sum()  # it stays when the frame changes
    assert browser.get_log("browser") == []


def test_the_edges_of_one_entity_are_chosen_by_name_or_by_a_click(
    browser: Any, page: Callable[..., Path], full: Report
) -> None:
    from selenium.webdriver.common.keys import Keys

    content = many(full, 20)
    page(**content)
    choice = one(browser, ".player-entity")
    sure = content["result"].probability[0, ..., 1].round(3) >= 0.75
    whole = len(shown_edges(browser))

    def of(n: int) -> set[tuple[int, int]]:
        return {(s, t) for s, t in np.argwhere(sure).tolist() if n in (s, t)}

    assert choice.accessible_name.startswith("edges of")
    choice.send_keys(Keys.ARROW_DOWN)
    assert {(s, t) for s, t, _ in shown_edges(browser)} == of(0)
    assert [text.text for text in browser.find_elements("css selector", ".player-stage text")] == ["0"]
    click = "document.querySelectorAll('.player-stage .mark')[arguments[0]].dispatchEvent(new MouseEvent('click'))"
    browser.execute_script(click, 7)
    assert {(s, t) for s, t, _ in shown_edges(browser)} == of(7)
    assert choice.get_property("selectedIndex") == 8
    browser.execute_script(click, 7)
    assert len(shown_edges(browser)) == whole


def test_no_more_edges_are_drawn_than_a_page_can_move(browser: Any, page: Callable[..., Path], full: Report) -> None:
    content = many(full, 60)
    page(**content)
    sure = content["result"].probability[0, ..., 1]
    drawn = shown_edges(browser)
    assert len(drawn) == MOST < (sure >= 0.75).sum()
    assert min(sure[s, t] for s, t, _ in drawn) > np.sort(sure.ravel())[-MOST] - 1e-3
    assert f"At most {MOST} edges are drawn at a time" in one(browser, "#player").text


def test_large_figures_of_many_entities_fit_or_are_scrolled(
    browser: Any, page: Callable[..., Path], full: Report
) -> None:
    page(**many(full, 40))
    for width in (360, 800, 1600):
        width_of(browser, width)
        assert browser.execute_script(STICK_OUT) == [True, []], width
    figures = browser.find_elements("css selector", ".large svg")
    assert len(figures) == 2 * 3
    assert all(figure.size["width"] > 400 for figure in figures)
    width_of(browser, 360)
    assert all(figure.size["width"] > 400 for figure in figures)


@pytest.mark.parametrize("long", [{}, {"title": LONG, "facts": (("from", LONG),), "command": LONG}])
def test_no_text_is_outside_the_page(browser: Any, page: Callable[..., Path], long: dict[str, Any]) -> None:
    page(**long)
    for width in (360, 800, 1600):
        width_of(browser, width)
        assert browser.execute_script(STICK_OUT) == [True, []], width


def test_light_dark_and_print(browser: Any, page: Callable[..., Path]) -> None:
    page()
    paper = {}
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        paper[scheme] = one(browser, "body").value_of_css_property("background-color")
    assert paper["light"] != paper["dark"]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not one(browser, ".player-controls").is_displayed()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def test_a_page_without_truth_or_positions_runs(browser: Any, page: Callable[..., Path], full: Report) -> None:
    assert full.data is not None
    page(data=full.data.without_edges(), perm=None, true_law=None)
    assert not browser.find_elements("css selector", ".player-truth")
    assert browser.find_elements("css selector", ".player-stage .edge")
    page(data=replace(full.data, features=("a", "b", "c", "d")), law=None, forecast=None)
    assert "not available" in one(browser, "#player").text
    assert browser.get_log("browser") == []
