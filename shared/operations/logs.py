"""Log lines: one JSON object each, on standard error. No line holds a value of a record, and none a secret.

An error may quote what it choked on.  So of an error only the class and the lines of code are told, and its words only
where the class is one of `TELLING`, whose words name cause, place and cure and no values; of an error of the system its
code and the file are told.  The same goes for errors that stand among the arguments of a line.  Libraries write errors
into their lines too: where one of them tells of an error, its own template is all that is kept.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from shared.access.tokens import AccessError
from shared.operations.settings import SettingsError
from shared.runtime.core import Append, Message
from shared.runtime.ports import BlobDamaged, BlobMissing, LogError

OURS = ("shared.", "services.")
TELLING = (LogError, BlobMissing, BlobDamaged, SettingsError, AccessError)
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_PLAIN = (str, int, float, bool, type(None))

_log = logging.getLogger(__name__)


class JsonLines(logging.Formatter):
    """``extra`` fields of a log call become fields of the line."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": _message(record),
        }
        line |= {name: _plain(value) for name, value in record.__dict__.items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            line |= _error(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def configure(service: str, level: str) -> None:
    """For the whole process; libraries speak from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # Speaks of its own event loop whenever this machine is busy.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
    for name in ("shared", "services"):
        logging.getLogger(name).setLevel(level.upper())
    logging.captureWarnings(True)
    # A line that can't be put together would be printed with all its arguments.
    logging.raiseExceptions = False
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def about(item: Message | Append) -> dict[str, str | int]:
    """``extra`` for a line about a message: whose it is, where it stands, what it belongs to."""
    place: dict[str, str | int] = {"topic": item.topic}
    if isinstance(item, Message):
        place |= {"pipeline": item.key, "partition": item.partition, "offset": item.offset}
    else:
        place["pipeline"] = item.unit.pipeline
    names = {"ce_type": "type", "ce_id": "id", "ce_correlationid": "correlation", "ce_causationid": "cause"}
    return place | {name: item.headers[header] for header, name in names.items() if header in item.headers}


def _message(record: logging.LogRecord) -> str:
    if record.exc_info and not record.name.startswith(OURS):
        return str(record.msg).partition("\n")[0]
    arguments = record.args
    if isinstance(arguments, tuple):
        record.args = tuple(map(_safe, arguments))
    elif arguments:
        record.args = {name: _safe(value) for name, value in arguments.items()}
    return record.getMessage()


def _safe(argument: object) -> object:
    return _words(argument) if isinstance(argument, BaseException) else argument


def _plain(value: object) -> object:
    """What is of no JSON type is told by its type's name: nobody knows what its own words hold."""
    return value if isinstance(value, _PLAIN) else _safe(value) if isinstance(value, BaseException) else _name(value)


def _words(error: BaseException) -> str:
    if isinstance(error, TELLING):
        return f"{_name(error)}: {error}"
    if isinstance(error, OSError) and error.errno:
        return f"{_name(error)}: {os.strerror(error.errno)}" + (f" ({error.filename})" if error.filename else "")
    return _name(error)


def _error(error: BaseException) -> dict[str, Any]:
    told: dict[str, Any] = {"error": _words(error), "stack": _stack(error.__traceback__)}
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return told if cause is None else told | {"caused_by": _error(cause)}


def _stack(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]


def _name(value: object) -> str:
    return type(value).__name__


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _log.critical("nobody caught this", exc_info=(kind, error, trace))


def _uncaught_in_thread(ended: threading.ExceptHookArgs) -> None:
    name = ended.thread.name if ended.thread else "unknown"
    _log.critical("a thread ended", exc_info=ended.exc_value, extra={"thread_name": name})


def _unraisable(ended: Any) -> None:
    _log.error("an error came where none can be raised", exc_info=ended.exc_value)
