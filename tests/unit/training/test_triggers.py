"""Trainings that no drift asked for: the stream's growth, and a schedule in event time."""

from __future__ import annotations

from shared.events.topics import PERFORMANCE
from shared.events.training import TrainingRequested
from tests.unit.deployment.desk import Desk, counted

HOUR = 3_600_000


def trained_at(desk: Desk, trigger: str) -> list[int]:
    return [event.label for event in desk.of(TrainingRequested) if event.trigger == trigger]


def test_growth_trains_each_time_the_labelled_rows_have_doubled() -> None:
    desk = Desk(retraining={"growth": 2.0})
    desk.serve_first()
    window = desk.pipeline.window
    desk.label(9 * window)
    assert trained_at(desk, "growth") == [2 * window, 4 * window, 8 * window]


def hours(desk: Desk, *times: int) -> None:
    for hour in times:
        end = desk.pipeline.steps.end(desk.labelled)
        desk.send(PERFORMANCE.name, counted(desk.file, desk.labelled, end, hour * HOUR))
        desk.labelled = end


def test_a_schedule_goes_by_event_time_and_not_by_rows() -> None:
    desk = Desk(retraining={"schedule_hours": 24.0})
    desk.serve_first()
    hours(desk, 1, 2, 3, 24, 26, 27, 60)
    assert len(trained_at(desk, "schedule")) == 2


def test_event_time_that_goes_backwards_trains_nothing() -> None:
    desk = Desk(retraining={"schedule_hours": 24.0})
    desk.serve_first()
    hours(desk, 30, 2, 1, 29)
    assert trained_at(desk, "schedule") == []
