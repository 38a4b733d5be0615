"""A pipeline in one process: lines in; predictions, the ledger, dead letters and the state of things out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import orjson

from services.backtest.ledger_dump import dump
from services.cli.cards import CardFile
from services.cli.errors import UserError
from services.cli.folders import try_folder
from services.cli.outcome import LEDGER
from services.cli.session.sorting import CSV, NDJSON, sort
from services.cli.session.tail import dead_letters, dead_tail, predictions, predictions_tail
from services.cli.words import Narrator
from services.embedded.system import Embedded, Refused
from shared.adapters.files import FileBlobs
from shared.domain.pipeline import Pipeline
from shared.domain.quality import Quality, metrics
from shared.events.prediction import PerformanceCounted
from shared.events.topics import LEDGER as LEDGER_TOPIC
from shared.events.topics import PERFORMANCE

BLOBS, STATUS, DEAD = "blobs", "status.json", "dead-letters/letters.ndjson"

Say = Callable[[int, str], None]
"""Called with a row and a sentence for each decision."""


class Session:
    """Feed it lines; close it. ``header`` is the first line of CSV, None for JSON lines."""

    def __init__(self, pipeline: Pipeline, folder: Path, out: TextIO, say: Say) -> None:
        for each in (folder, (folder / DEAD).parent):
            try_folder(each, "--dir")
        if (folder / LEDGER).exists():
            raise UserError(f"{folder}: holds the ledger of another run, and ledgers are kept; give another --dir")
        (folder / DEAD).parent.mkdir(parents=True, exist_ok=True)
        self.header: bytes | None = None
        self._contract = pipeline.contract
        self._system = Embedded(pipeline, FileBlobs(folder / BLOBS))
        self._folder = folder
        self._out = out
        self._say = say
        self._narrator = Narrator()
        self._cards = CardFile(folder, pipeline)
        self._ledger = (folder / LEDGER).open("a", encoding="utf-8")
        self._dead = (folder / DEAD).open("ab")
        self._predictions = predictions_tail(self._system.log)
        self._letters = dead_tail(self._system.log)
        self._status: dict[str, Any] = {"rows": 0, "labels": 0, "dead": 0, "version": None, "quality": {}}
        self._quality = Quality()
        self._system.apply()
        self._publish()

    def feed(self, lines: list[bytes]) -> None:
        """Delivers the lines and gives out everything that follows from them."""
        if self.header is not None:
            self._deliver("records", b"\n".join([self.header, *lines]), CSV)
        else:
            found = sort(lines, self._contract)
            self._deliver("records", found.records, NDJSON)
            self._deliver("labels", found.labels, NDJSON)
        self._publish()

    @property
    def account(self) -> str:
        """What has come so far, and what became of it."""
        rows, labels, dead = (self._status[name] for name in ("rows", "labels", "dead"))
        where = f" (see {self._folder / DEAD})" if dead else ""
        return f"{rows:,} records received, {labels:,} labelled, {dead:,} refused{where}"

    def close(self) -> None:
        self._cards.write()
        self._ledger.close()
        self._dead.close()

    def _deliver(self, action: str, body: bytes, content_type: str) -> None:
        if not body:
            return
        try:
            report = self._system.deliver(action, body, content_type)
        except Refused as refused:
            raise UserError(f"the input can't be read as {content_type}: {refused}") from refused
        if action == "records":
            self._status["rows"] += report["received"]

    def _publish(self) -> None:
        for told in predictions(self._predictions, self._contract):
            self._out.write(orjson.dumps(told).decode() + "\n")
        self._out.flush()
        self._record()
        for letter in dead_letters(self._letters, self._contract):
            self._dead.write(orjson.dumps(letter, default=str) + b"\n")
            self._status["dead"] += 1
        self._dead.flush()
        self._tell_status()

    def _record(self) -> None:
        """Facts and decisions: to the ledger's file first, then to whoever watches."""
        found = list(self._system.new_events(LEDGER_TOPIC.name))
        events = [event for _, event in found]
        self._ledger.writelines(dump(events, [message.headers for message, _ in found]))
        self._ledger.flush()
        self._cards.add(events)
        for told in self._narrator.tell(events):
            if not told.routine:
                self._say(told.row, told.words)

    def _tell_status(self) -> None:
        for _, event in self._system.new_events(PERFORMANCE.name):
            if isinstance(event, PerformanceCounted):
                self._status["labels"] += event.last - event.first
                self._status["version"] = event.serving
                self._quality = sum(event.versions.values(), self._quality)
        self._status["quality"] = {name: round(value, 4) for name, value in metrics(self._quality).items()}
        path = self._folder / STATUS
        fresh = path.with_suffix(".tmp")
        fresh.write_bytes(orjson.dumps(self._status, option=orjson.OPT_INDENT_2))
        fresh.replace(path)
