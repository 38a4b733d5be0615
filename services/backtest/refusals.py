"""How many records were refused, counted from the letters about them."""

from __future__ import annotations

from collections.abc import Mapping

from shared.events.topics import RECORDS_DEAD
from shared.runtime.ports import Log

ROWS, ACTION = "rows", "driftloop.action"
AT_ONCE = 1000


class Refusals:
    """Records refused so far, by the service that did. Letters about labels are none of them: their records stay."""

    def __init__(self) -> None:
        self.at_ingestion = 0
        self.by_validation = 0
        self._offset = 0

    def look(self, log: Log) -> None:
        """Take in the letters since the last look."""
        while letters := log.read(RECORDS_DEAD.name, 0, self._offset, AT_ONCE):
            self._offset = letters[-1].offset + 1
            for letter in letters:
                self._count(letter.headers)

    def _count(self, headers: Mapping[str, str]) -> None:
        """Ingestion writes a letter per row, and says what it was sent as; validation one per message."""
        if ACTION not in headers:
            self.by_validation += int(headers.get(ROWS, 1))
        elif headers[ACTION] == "records":
            self.at_ingestion += 1
