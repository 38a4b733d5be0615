"""What a reader of the report may rely on."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from services.backtest.report import render
from services.backtest.report.html import VOID
from services.backtest.result import BacktestResult
from tests.unit.report import sample

MEGABYTE = 1_000_000
VARIANTS = {
    "typical": sample.typical,
    "regression": lambda: sample.typical(regression=True),
    "empty": sample.empty,
    "hostile": sample.hostile,
}


class Structure(HTMLParser):
    """Collects headings, ids and addresses, and refuses tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.loads: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.scripts += tag == "script"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def structure(page: str) -> Structure:
    parsed = Structure()
    parsed.feed(page)
    parsed.close()
    return parsed


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_page_is_well_formed_and_loads_nothing(variant: str) -> None:
    page = render(VARIANTS[variant]())
    parsed = structure(page)
    assert parsed.open == []
    assert parsed.loads == []
    assert parsed.scripts == 1
    assert "http://" not in page
    assert "https://" not in page
    assert not re.search(r"@import|@font-face|fetch\(|XMLHttpRequest|url\((?!#)", page)


def test_sections_stand_in_reading_order() -> None:
    assert structure(render(sample.typical())).headings[1:] == [
        "Over time",
        "Which features drifted",
        "What each drift led to",
        "What it cost",
        "Where the model is wrong",
        "Settings and how to reproduce",
    ]


def test_text_from_the_data_never_becomes_markup() -> None:
    page = render(sample.hostile())
    assert sample.HOSTILE not in page
    assert "alert('x')" not in page
    assert page.count("&lt;script&gt;") > 10


def test_a_script_that_slipped_in_could_not_run() -> None:
    page = render(sample.typical())
    assert "default-src 'none'".replace("'", "&#x27;") in page
    assert "script-src &#x27;sha256-" in page


@pytest.fixture(scope="module")
def million() -> str:
    return render(sample.million())


def test_a_million_records_stay_under_two_megabytes(million: str) -> None:
    assert len(million.encode()) < 2 * MEGABYTE
    assert "100 further episodes left out here" in million


def test_curves_hold_at_most_400_points(million: str) -> None:
    lines = re.findall(r'<polyline class="line[^"]*" points="([^"]*)"', million)
    assert len(lines) > 8
    assert max(line.count(",") for line in lines) <= 400


def test_the_same_result_gives_the_same_page() -> None:
    assert render(sample.typical()) == render(sample.typical())


def test_every_chart_has_words_for_those_who_cannot_see_it() -> None:
    charts = re.findall(r"<svg [^>]*viewBox=\"0 0 (?:1080|360)[^>]*>", render(sample.typical()))
    assert len(charts) == 6
    assert all('role="img"' in chart and 'aria-label="' in chart for chart in charts)


def test_the_main_policy_is_drawn_last_so_that_it_lies_in_front() -> None:
    page = render(sample.typical())
    chart = page[page.index('<svg class="wide"') : page.index('<svg class="narrow"')]
    styles = re.findall(r'<polyline class="line s(\d)"', chart)
    assert styles == ["5", "4", "3", "2", "1", "0"]


def test_a_result_without_policies_is_refused() -> None:
    with pytest.raises(ValueError, match="no policies"):
        render(replace(sample.empty(), policies=()))


def test_an_eventless_run_says_so_instead_of_drawing_empty_charts() -> None:
    page = render(sample.empty())
    assert "No drift was detected" in page
    assert "broken data" not in page


def test_episodes_tell_evidence_candidates_gate_and_outcome() -> None:
    page = render(sample.typical())
    assert "88:31 wins to losses" in page
    assert "slice culex-male regressed by 9.1 points" in page
    assert "Held back" in page
    assert "only one class in the training rows" in page
    assert "Still open when the stream ended" in page
    assert "evidence 3:1 is short of 20:1" in page


def test_a_reader_is_told_which_classes_the_confusion_matrix_leaves_out() -> None:
    many = tuple(f"class-{n}" for n in range(15))
    result: BacktestResult = sample.empty()
    policy = replace(result.policies[0], quality=sample.quality(1500, 0.8, classes=many))
    page = render(replace(result, policies=(policy,)))
    assert "3 further ones hold 20.0\u00a0%" in page
    assert page.count('class="hit"') == 12


def test_truth_is_named_under_the_chart() -> None:
    assert "A 20 °C to 30 °C; B 30 °C to 25 °C; C sensor moved" in render(sample.typical())
