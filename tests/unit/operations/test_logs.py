"""Log lines are JSON, say where to look, and hold no value of a record and no secret, whoever wrote them."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from shared.events.commands import RetrainModel
from shared.events.envelope import to_append
from shared.operations.logs import about, configure
from shared.runtime.core import Message
from shared.runtime.ports import Indefinite

PRIVATE = "4111 1111 1111 1111"
OURS = "services.subject"
LIBRARY = "some.library"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What goes to standard error, with the process's logging put back afterwards."""
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    levels = {name: logging.getLogger(name).level for name in ("", "shared", "services")}
    hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook, logging.raiseExceptions)
    stream = StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure("subject", "info")
    yield stream
    root.handlers[:] = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(False)
    sys.excepthook, threading.excepthook, sys.unraisablehook, logging.raiseExceptions = hooks


def lines(written: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def failed() -> None:
    try:
        float(PRIVATE)
    except ValueError as error:
        raise KeyError(PRIVATE) from error


def test_a_line_says_when_who_and_what(written: StringIO) -> None:
    logging.getLogger(OURS).info("took %d rows", 7, extra={"pipeline": "plant", "offset": 12})
    (line,) = lines(written)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "service": "subject",
        "logger": OURS,
        "message": "took 7 rows",
        "pipeline": "plant",
        "offset": 12,
    }


def test_libraries_speak_from_warning_on(written: StringIO) -> None:
    logging.getLogger(LIBRARY).info("chatter")
    logging.getLogger(OURS).debug("chatter")
    assert lines(written) == []


@pytest.mark.parametrize("name", [OURS, LIBRARY])
def test_an_error_is_its_class_its_place_and_its_cause(written: StringIO, name: str) -> None:
    try:
        failed()
    except KeyError:
        logging.getLogger(name).exception("it failed")
    (line,) = lines(written)
    assert (line["error"], line["caused_by"]["error"]) == ("KeyError", "ValueError")
    assert line["stack"][-1].endswith(" failed")
    assert PRIVATE not in written.getvalue()


def test_an_error_written_to_be_shown_is_shown(written: StringIO) -> None:
    logging.getLogger(OURS).warning("opens again: %s", Indefinite("no answer within 5 s"))
    assert lines(written)[0]["message"] == "opens again: Indefinite: no answer within 5 s"


def test_an_error_of_the_system_is_told_by_its_code(written: StringIO) -> None:
    try:
        open("/nowhere/at/all")  # noqa: SIM115 - it can't be
    except OSError as error:
        logging.getLogger(OURS).warning("%s", error)
    assert lines(written)[0]["message"] == "FileNotFoundError: No such file or directory (/nowhere/at/all)"


def test_errors_among_arguments_and_fields_are_told_by_their_class(written: StringIO) -> None:
    error = ValueError(PRIVATE)
    logging.getLogger(OURS).warning("%s", error)
    logging.getLogger(OURS).warning("%(error)s", {"error": error})
    logging.getLogger(OURS).warning("odd", extra={"why": error, "rows": [PRIVATE]})
    assert [line["message"] for line in lines(written)] == ["ValueError", "ValueError", "odd"]
    assert (lines(written)[2]["why"], lines(written)[2]["rows"]) == ("ValueError", "list")


def test_what_a_library_writes_about_an_error_is_cut(written: StringIO) -> None:
    try:
        failed()
    except KeyError as error:
        logging.getLogger(LIBRARY).exception("crashed: %r", error.args)
        logging.getLogger(LIBRARY).exception(f"task ended\nfuture: {error!r}")
    assert [line["message"] for line in lines(written)] == ["crashed: %r", "task ended"]


def test_an_error_that_nobody_caught_is_a_line_too(written: StringIO) -> None:
    thread = threading.Thread(target=failed, name="worker")
    thread.start()
    thread.join()
    try:
        failed()
    except KeyError as error:
        sys.excepthook(KeyError, error, error.__traceback__)
    told = lines(written)
    assert [line["message"] for line in told] == ["a thread ended", "nobody caught this"]
    assert told[0]["thread_name"] == "worker"
    assert PRIVATE not in written.getvalue()


def test_a_task_that_nobody_awaits_tells_no_value(written: StringIO) -> None:
    async def forget() -> None:
        async def fails() -> None:
            failed()

        task = asyncio.ensure_future(fails())
        await asyncio.wait({task})

    asyncio.run(forget())
    assert lines(written)[0]["error"] == "KeyError"
    assert PRIVATE not in written.getvalue()


def test_a_line_that_can_not_be_put_together_tells_nothing(written: StringIO) -> None:
    logging.getLogger(OURS).warning("%d rows", PRIVATE)
    assert PRIVATE not in written.getvalue()


def test_a_message_is_told_by_its_place_and_what_it_belongs_to() -> None:
    append = to_append("commands", RetrainModel(pipeline="plant", command="c1"), correlation="episode-1")
    assert about(append) == {
        "topic": "commands",
        "pipeline": "plant",
        "type": RetrainModel.type,
        "id": append.headers["ce_id"],
        "correlation": "episode-1",
    }
    message = Message("commands", 1, 5, 0, "plant", append.value, append.headers)
    assert about(message) == {**about(append), "partition": 1, "offset": 5}
