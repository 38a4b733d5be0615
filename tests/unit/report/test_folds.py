"""What the ledger and the curves are folded to, whatever their order of magnitude."""

from __future__ import annotations

from html.parser import HTMLParser
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.backtest.report.curves import MOST_EVIDENCE_POINTS, Grid, merged, thinned
from services.backtest.report.episodes import episode_list
from services.backtest.report.frame import apart, narrow_frame, ticks
from services.backtest.report.html import element, joined
from services.backtest.report.others import other_trainings
from services.backtest.report.stories import chronicle
from services.backtest.result import EvidencePoint, QualityPoint
from shared.domain.quality import MILLION, Quality
from shared.events.deployment import EpisodeClosed
from shared.events.training import EvaluationCompleted, TrainingSuppressed
from tests.unit.report import ledger as made

RECORDS = 20_000
LEDGER = made.ledger(RECORDS)


class Text(HTMLParser):
    """What a browser would show."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def text_of(html: str) -> str:
    parser = Text()
    parser.feed(html)
    parser.close()
    return "".join(parser.found)


@given(st.text(), st.text())
def test_any_text_survives_as_text_and_as_an_attribute(text: str, name: str) -> None:
    html = element("p", {"title": name}, text)
    assert html.count("<") == 2
    assert html.count('"') == 2
    if "\r" not in text and "\0" not in text:
        assert text_of(html) == text


def test_nested_children_are_flattened_and_nothing_stands_for_none() -> None:
    assert joined(["a", None, ["<", [element("br"), 3]]]) == "a&lt;<br>3"


def test_a_ledger_that_was_appended_twice_tells_the_same_story() -> None:
    assert chronicle((*LEDGER, *LEDGER), RECORDS) == chronicle(LEDGER, RECORDS)


def test_every_detected_drift_is_an_episode_with_its_own_events() -> None:
    told = chronicle(LEDGER, RECORDS)
    assert [episode.number for episode in told.episodes] == list(range(1, 11))
    assert [episode.outcome for episode in told.episodes] == [outcome or "open" for outcome in made.OUTCOMES]
    assert all(episode.story.cause == episode.detected.episode for episode in told.episodes)


def test_an_open_episode_lasts_to_the_end() -> None:
    last = chronicle(LEDGER, RECORDS).episodes[-1]
    assert last.closed is None
    assert last.end(RECORDS) == RECORDS


def test_a_failed_job_belongs_to_the_episode_that_asked_for_it() -> None:
    told = chronicle(LEDGER, RECORDS)
    failed = [e.number for e in told.episodes if any(job.failures for job in e.story.jobs)]
    assert failed == [7]


def test_growth_is_told_apart_from_episodes_and_faded_suspicions_are_counted() -> None:
    told = chronicle(LEDGER, RECORDS)
    assert [story.jobs[0].requested.trigger for story in told.others] == ["growth"]
    assert told.faded == 1


def test_a_fault_that_never_clears_lasts_to_the_end() -> None:
    told = chronicle(made.fault(3, 1000, 1200, clears=False), RECORDS)
    assert [(fault.first, fault.last) for fault in told.faults] == [(1000, RECORDS)]


def test_the_same_brake_is_told_once_with_its_count() -> None:
    held = [
        TrainingSuppressed(
            pipeline="p", cause=f"c{n}", trigger="check", stage=0, reason=f"cooldown: {n} rows ago", row=n, label=n
        )
        for n in range(100, 400)
    ]
    words = text_of(joined(other_trainings(chronicle(held, RECORDS))))
    assert words.count("cooldown") == 1
    assert "Routine check 300 times from row 100 to 399, the last time: cooldown: 399 rows ago" in words


def test_repeated_comparisons_of_two_versions_are_added_up() -> None:
    evaluation = next(event for event in LEDGER if isinstance(event, EvaluationCompleted))
    again = evaluation.model_copy(update={"job": "again", "last_label": evaluation.last_label + 500})
    words = text_of(joined(episode_list(chronicle((*LEDGER, again), RECORDS))))
    assert "176:62 in 1,000 rows" in words


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 50), st.integers(0, 50)), max_size=60))
def test_merging_slices_loses_no_record_and_no_error(slices: list[tuple[int, int, int]]) -> None:
    curve = [QualityPoint(row, Quality(n, min(n, wrong) * MILLION)) for row, n, wrong in slices]
    windows = merged(curve, Grid(0, 5000, 7))
    assert sum(q.n for q in windows.values()) == sum(p.quality.n for p in curve)
    assert sum(q.loss for q in windows.values()) == sum(p.quality.loss for p in curve)
    assert set(windows) <= set(range(7))


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(1, 200))
def test_a_row_lies_in_the_window_that_holds_it(first: int, span: int, windows: int) -> None:
    on = Grid(first, first + span, windows)
    for row in (first + 1, first + span // 2 + 1, first + span):
        window = on.window(min(row, on.last))
        assert on.start(window) < min(row, on.last) <= on.end(window)


@given(st.lists(st.one_of(st.none(), st.floats(-9, 9)), min_size=1, max_size=2000))
def test_thinning_keeps_the_highest_evidence(values: list[float | None]) -> None:
    points = thinned([EvidencePoint(row, value, None) for row, value in enumerate(values)])
    assert len(points) <= MOST_EVIDENCE_POINTS
    highest = max((v for v in values if v is not None), default=None)
    assert max((p.inputs for p in points if p.inputs is not None), default=None) == highest


@given(st.lists(st.floats(0, 300), min_size=1, max_size=15))
def test_labels_never_lie_over_each_other_and_keep_their_order(places: list[float]) -> None:
    moved = apart(places, 17, 0, 300)
    heights = sorted(moved)
    assert all(lower - upper >= 17 - 1e-6 for upper, lower in pairwise(heights))
    order = sorted(range(len(places)), key=places.__getitem__)
    assert [moved[index] for index in order] == heights


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_round_within_the_range_and_never_too_many(low: float, span: float) -> None:
    found = ticks(low, low + span, 5)
    assert 1 <= len(found) <= 6
    assert all(low - span * 1e-6 <= value <= low + span * (1 + 1e-6) for value in found)


def test_values_outside_the_frame_are_drawn_at_its_edge() -> None:
    frame = narrow_frame(1000).scaled(-1, 1)
    assert frame.y(float("-inf")) == frame.plot_bottom
    assert frame.y(99) == frame.top
    assert frame.x(2000) == frame.plot_right


def test_a_gain_that_nobody_won_is_called_a_promise() -> None:
    refused = next(event for event in LEDGER if isinstance(event, EpisodeClosed) and event.outcome == "refused")
    others = [event for event in LEDGER if event is not refused]
    words = text_of(joined(episode_list(chronicle([*others, refused.model_copy(update={"gain": 0.0177})], RECORDS))))
    assert "a fresh model would have won back 17.7 per 1,000 rows" in words
    assert "gain +17.7" not in words
