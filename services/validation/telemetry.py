"""What validation's messages mean as numbers."""

from __future__ import annotations

import re

from services.validation.core import RULES_BROKEN
from shared.events.data import REASON
from shared.events.topics import RECORDS_DEAD, RECORDS_VALIDATED
from shared.operations.observing import Flow
from shared.runtime.core import Append

BROKEN = re.compile(r"(\S.*?) (\d+)(?:, |$)")
"""Rule and rows, in the sentence of a letter: the letter's rows themselves stay closed."""


class ValidationTelemetry(Flow):
    """Rows that passed, and rows that didn't by rule; a row that breaks two rules counts under both."""

    def wrote(self, append: Append) -> None:
        pipeline = self.metrics.pipeline(append.unit.pipeline)
        if append.topic == RECORDS_VALIDATED.name:
            self.metrics.rows_accepted.labels(pipeline).inc(int(append.headers["rows"]))
        elif append.topic == RECORDS_DEAD.name and append.headers.get(REASON) == RULES_BROKEN:
            sentence = append.headers["__connect.errors.exception.message"].partition(": ")[2]
            for rule, rows in BROKEN.findall(sentence):
                self.metrics.rows_rejected.labels(pipeline, self.metrics.rule(rule)).inc(int(rows))
