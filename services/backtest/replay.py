"""Replay a recorded stream through the embedded system under one policy, predicted before its labels are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import pyarrow as pa

from services.backtest.policies import under_policy
from services.backtest.result import PolicyResult
from services.backtest.tally import Tally
from services.embedded.system import Embedded
from shared.domain.pipeline import Pipeline
from shared.events.commands import PausePipeline
from shared.runtime.ports import Blobs

Source = Callable[[int], Iterator[pa.RecordBatch]]
"""Rows per batch -> the stream's batches, from its beginning."""
Progress = Callable[[int], None]
"""Called with the number of rows replayed so far."""
Observer = Callable[[Tally], None]
"""Looks at what was said so far, after every batch."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What is replayed: ``label_delay`` rows are predicted before a row's label is known (0: at once)."""

    pipeline: Pipeline
    source: Source
    label_delay: int = 0

    @property
    def initial(self) -> int:
        return self.pipeline.window


def replay(
    what: Replay, policy: str, blobs: Blobs, progress: Progress, observer: Observer = lambda _: None
) -> PolicyResult:
    """Runs one policy over the whole stream."""
    started = perf_counter()
    pipeline = _delayed(under_policy(policy, what.pipeline), what.label_delay)
    system = Embedded(pipeline, blobs)
    system.apply()
    tally = Tally(policy, pipeline)
    pending = _Labels(system, what)
    rows = 0
    for batch in cut(what.source, what.initial, pipeline.steps.size * pipeline.lanes):
        rows += batch.num_rows
        pending.add(batch, system.records(batch), rows)
        tally.look(system, rows)
        progress(rows)
        observer(tally)
    _finish(system, pending, tally, rows)
    observer(tally)
    return tally.result(perf_counter() - started)


def _finish(system: Embedded, pending: _Labels, tally: Tally, rows: int) -> None:
    """The stream is over: the last labels still count, but nothing is trained for records that never come."""
    system.command(PausePipeline(pipeline=system.pipeline.name, command="end-of-stream"))
    pending.flush()
    tally.look(system, rows)


def _delayed(pipeline: Pipeline, delay: int) -> Pipeline:
    """With a delay, labels arrive late whatever the file says; without, in the record itself."""
    label = pipeline.contract.label.model_copy(update={"arrives": "late" if delay else "inline"})
    return pipeline.model_copy(update={"contract": pipeline.contract.model_copy(update={"label": label})})


class _Labels:
    """Labels on their way: delivered once ``delay`` further rows have been predicted, the first rows' at once."""

    def __init__(self, system: Embedded, what: Replay) -> None:
        self._system = system
        self._delay = what.label_delay
        self._initial = what.initial
        self._contract = what.pipeline.contract
        self._waiting: deque[tuple[int, pa.Array, pa.Array]] = deque()

    def add(self, batch: pa.RecordBatch, batch_id: str, rows: int) -> None:
        if not self._delay:
            return
        name = self._contract.record_id
        ids = batch.column(name) if name else pa.array([f"{batch_id}:{row}" for row in range(batch.num_rows)])
        self._waiting.append((rows, ids.cast(pa.string()), batch.column(self._contract.label.name)))
        while self._waiting and (rows <= self._initial or self._waiting[0][0] + self._delay <= rows):
            self._deliver()

    def flush(self) -> None:
        while self._waiting:
            self._deliver()

    def _deliver(self) -> None:
        _, ids, labels = self._waiting.popleft()
        self._system.labels(ids.to_pylist(), labels)


def cut(source: Source, initial: int, size: int) -> Iterator[pa.RecordBatch]:
    """The stream in batches: one of the initial rows, then ``size`` rows each."""
    wanted = initial
    held: list[pa.RecordBatch] = []
    for batch in source(max(initial, size * 40)):
        held.append(batch)
        while sum(part.num_rows for part in held) >= wanted:
            whole = pa.Table.from_batches(held).combine_chunks().to_batches()[0]
            yield whole.slice(0, wanted)
            held, wanted = [whole.slice(wanted)] if whole.num_rows > wanted else [], size
    if held:
        yield from pa.Table.from_batches(held).combine_chunks().to_batches()
