"""What no drift caused: other trainings, triggers that a brake held back, and broken data."""

from __future__ import annotations

import re

from services.backtest.report.figures import counted, percent, seconds, sentence, whole
from services.backtest.report.html import Child, Markup, element
from services.backtest.report.stories import Chronicle, Fault, Job, Story
from services.backtest.report.tables import cell, column_head, row_head, table
from services.backtest.report.wording import aftermath_words, trial_words
from shared.events.deployment import CandidatePromoted
from shared.events.training import TrainingSuppressed

MOST_TRAININGS, MOST_REASONS, MOST_FAULTS = 100, 30, 50
TRIGGERS = {
    "bootstrap": "First model",
    "check": "Routine check",
    "volume": "Every so many rows",
    "request": "On request",
}
NUMBER = re.compile(r"\d[\d,.]*")
FEW = 12
"""Lists up to this length stand open."""


def other_trainings(told: Chronicle) -> list[Markup]:
    """Trainings without a drift, one line each, and what was held back, counted by reason."""
    trained = [line for story in told.others for line in _trainings(story)]
    held = _held_back([event for story in told.others for event in story.suppressions])
    return [
        *_listing("Trainings without a drift", trained, MOST_TRAININGS),
        *_listing("Held back without a drift", held, MOST_REASONS),
    ]


def _listing(title: str, lines: list[Child], most: int) -> list[Markup]:
    if not lines:
        return []
    left = len(lines) - most
    rest = element("p", {"class": "note"}, f"{counted(left, 'further line')} left out.") if left > 0 else None
    listed = element("ul", {"class": "others"}, [element("li", {}, line) for line in lines[:most]])
    head = element("summary", {}, element("span", {"class": "which"}, title), _count(len(lines)))
    return [element("details", {"class": "episode", "open": len(lines) <= FEW}, head, listed, rest)]


def _count(count: int) -> Markup:
    return element("span", {"class": "aside"}, whole(count))


def _trainings(story: Story) -> list[Child]:
    after = "".join(f" {aftermath_words(event)}" for event in story.aftermath)
    return [[_training(job), after if job is story.jobs[-1] else ""] for job in story.jobs]


def _training(job: Job) -> list[Child]:
    kind = element("strong", {}, _trigger(job.requested.trigger))
    done = job.completed
    work = f"{whole(done.rows)} rows in {seconds(done.measured_seconds)}" if done else "no result"
    failed = "".join(f" Attempt failed: {failure.reason}." for failure in job.failures)
    return [kind, f" at row {whole(job.requested.row)}: {work}{_verdict(job)}.{failed}"]


def _verdict(job: Job) -> str:
    verdict = job.verdict
    if verdict is None:
        return ""
    ended = "promoted" if isinstance(verdict, CandidatePromoted) else "refused"
    reasons = f" ({'; '.join(verdict.reasons)})" if verdict.reasons else ""
    return f", {ended}{reasons}{trial_words(verdict.trial)}"


def _held_back(found: list[TrainingSuppressed]) -> list[Child]:
    """Brakes stop the same trigger again and again: one line per trigger and brake, the commonest first."""
    grouped: dict[tuple[str, str], list[TrainingSuppressed]] = {}
    for event in found:
        # Reasons carry counts that differ each time ("340 of 1,000 rows"); the brake is the same.
        grouped.setdefault((event.trigger, NUMBER.sub("#", event.reason)), []).append(event)
    return [_held_line(grouped[key]) for key in sorted(grouped, key=lambda key: (-len(grouped[key]), key))]


def _held_line(events: list[TrainingSuppressed]) -> Child:
    first, last = events[0], events[-1]
    kind = element("strong", {}, _trigger(first.trigger))
    if len(events) == 1:
        return [kind, f" at row {whole(first.row)}: {first.reason}"]
    times = f" {whole(len(events))} times from row {whole(first.row)} to {whole(last.row)}"
    return [kind, f"{times}, the last time: {last.reason}"]


def _trigger(trigger: str) -> str:
    return TRIGGERS.get(trigger, sentence(trigger))


def fault_list(told: Chronicle) -> list[Markup]:
    """Broken data: what was wrong where, and what ended it."""
    if not told.faults:
        return []
    left = len(told.faults) - MOST_FAULTS
    heads = [column_head(name, "") for name in ("what", "column", "rows left out", "finding", "over by")]
    rows = [_fault(fault) for fault in told.faults[:MOST_FAULTS]]
    note = element("p", {"class": "note"}, f"{counted(left, 'further fault')} left out.") if left > 0 else None
    shown = table(heads, rows, "Broken data that was kept out of training")
    return [element("h3", {}, "Broken data, kept out of training"), shown, *([note] if note else [])]


def _fault(fault: Fault) -> Markup:
    found = fault.found
    rows = f"{whole(fault.first)} to {whole(fault.last)}"
    detail = found.detail or percent(found.share)
    ended = fault.cleared.by if fault.cleared else "not over at the end"
    cells = [cell(found.column, kind=""), cell(rows, kind="way"), cell(detail, kind=""), cell(ended, kind="")]
    return element("tr", {}, row_head(found.kind.replace("-", " ")), cells)
