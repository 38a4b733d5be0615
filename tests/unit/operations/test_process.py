"""A service's process from its start to its exit code, with real signals."""

from __future__ import annotations

import json
import signal

import pytest

from shared.operations.lifecycle import CONFIGURATION, OK, SOFTWARE, TEMPORARY
from shared.operations.service import serve
from tests.unit.operations.processes import running
from tests.waiting import until


def test_a_signal_ends_it_in_order_and_requests_in_flight_still_find_the_loop_turning() -> None:
    with running("obedient") as process:
        process.logged("door opened")
        assert process.get("/livez")[0] == 200
        process.tell(signal.SIGTERM)
        assert process.logged("door closed")["while_turning"]
        assert process.code() == OK
        told = [line["message"] for line in process.lines]
        order = ["signal 15", "door closed", "part closed", "stopped", "service closed"]
        places = [next(i for i, message in enumerate(told) if message.startswith(each)) for each in order]
        assert places == sorted(places)


def test_it_answers_until_the_end_and_is_ready_no_more() -> None:
    with running("stuck") as process:
        process.logged("door opened")
        process.tell(signal.SIGTERM)
        process.logged("stuck")
        status, body = process.get("/readyz")
        assert (status, json.loads(body)["reason"]) == (503, "stopping")
        assert "driftloop_messages_read" in process.get("/metrics")[1]


def test_it_is_not_ready_while_its_doors_wait_for_more_than_the_loop() -> None:
    with running("waiting") as process:
        process.logged("door opened")
        until(lambda: json.loads(process.get("/readyz")[1])["reason"] == "loading")
        assert process.get("/readyz")[0] == 503


def test_a_second_signal_ends_it_at_once() -> None:
    with running("stuck", grace_seconds=600) as process:
        process.logged("door opened")
        process.tell(signal.SIGTERM)
        process.logged("stuck")
        process.tell(signal.SIGINT)
        assert process.code() == 128 + signal.SIGINT


@pytest.mark.parametrize("manner", ["stuck", "forgetful"])
def test_an_end_that_takes_too_long_is_cut_short_and_shows_where_it_hung(manner: str) -> None:
    with running(manner, grace_seconds=0.5) as process:
        process.logged("door opened")
        process.tell(signal.SIGTERM)
        assert process.code() == TEMPORARY
        assert "(most recent call first)" in process.text
        assert "the time to stop in is over" in process.text


def test_a_loop_that_hangs_ends_the_process_and_shows_where() -> None:
    with running("stalled", stall_seconds=0.5) as process:
        assert process.code() == SOFTWARE
        assert 'subject.py", line' in process.text


def test_a_defect_ends_it_without_a_value_in_the_log() -> None:
    with running("broken", grace_seconds=1) as process:
        assert process.code() == SOFTWARE
        line = process.logged("the loop failed")
        assert line["error"] == "ValueError"
        assert any("subject.py" in frame for frame in line["stack"])
        assert "secret" not in process.text


def test_what_can_not_be_set_ends_it_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRIFTLOOP_OPERATIONS_PORT", "http")
    assert serve("subject", lambda _: pytest.fail("built with bad settings")) == CONFIGURATION
    assert capsys.readouterr().err.startswith("subject: DRIFTLOOP_OPERATIONS_PORT: ")
