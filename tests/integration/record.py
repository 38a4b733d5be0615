"""What a run left in the log: read like any outsider would, with committed messages only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from services.embedded.loop import LANE_TOPICS
from shared.adapters.files import FileBlobs
from shared.adapters.kafka.connection import Connection
from shared.adapters.kafka.groups import KafkaGroups
from shared.adapters.kafka.log import KafkaLog
from shared.domain.pipeline_file import decode_pipeline
from shared.domain.rows import ID, decode_batch, predictions_schema, validated_schema
from shared.events import jobs as job_fold
from shared.events.base import Event
from shared.events.envelope import from_message
from shared.events.prediction import PerformanceCounted
from shared.events.topics import LEDGER, PERFORMANCE, PREDICTIONS, RECORDS_VALIDATED
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Core, Message
from shared.runtime.ports import LogError, Place
from tests.waiting import PATIENCE, until


@dataclass
class Record:
    """One prefix's topics. ``name``: the pipeline that the questions are about."""

    log: KafkaLog
    groups: KafkaGroups
    blobs: FileBlobs
    name: str = "bottling-plant"
    _kept: dict[Place, list[Message]] = field(default_factory=dict)
    """What was read already: polling reads on from there, or it would slow what it waits for."""

    def __post_init__(self) -> None:
        self.read = BlobReader(self.blobs)

    @classmethod
    def of(cls, bootstrap: str, prefix: str, blobs: Path, name: str = "bottling-plant") -> Record:
        connection = Connection(bootstrap, prefix, "test")
        return cls(KafkaLog(connection), KafkaGroups(connection), FileBlobs(blobs), name)

    def about(self, name: str) -> Record:
        """The same topics, asked about another pipeline."""
        return replace(self, name=name)

    def close(self) -> None:
        self.groups.close()
        self.log.close()

    def messages(self, topic: str) -> list[Message]:
        return [message for message in self._all(topic) if message.key == self.name]

    @property
    def ledger(self) -> list[Event]:
        return self._events(LEDGER.name)

    def accepted(self) -> list[Event]:
        """Results of jobs that count, by the fold that every reader uses."""
        jobs, found = job_fold.Jobs(), list[Event]()
        for message in self.messages(LEDGER.name):
            event = from_message(message)
            if event is None:
                continue
            if job_fold.accepted(jobs, event):
                found.append(event)
            jobs = job_fold.fold(jobs, event, message.offset, message.timestamp)
        return found

    def open_jobs(self) -> tuple[job_fold.Job, ...]:
        jobs = job_fold.Jobs()
        for message in self.messages(LEDGER.name):
            event = from_message(message)
            if event is not None:
                jobs = job_fold.fold(jobs, event, message.offset, message.timestamp)
        return jobs.open

    def at_rest(self, cores: Sequence[Core[Any]]) -> bool:
        """Whether no job is open and these have handled all that the log holds for them, their own answers included."""
        before = len(self.ledger)
        read = all(self._has_read(core) for core in cores) and not self.open_jobs()
        return read and len(self.ledger) == before

    def _has_read(self, core: Core[Any]) -> bool:
        # What is for all lanes is read anew by every worker, and no position of it is kept.
        own = [topic for topic in core.reads if not core.per_lane or topic in LANE_TOPICS]
        places = [(topic, partition) for topic in own for partition in range(self.log.partitions(topic))]
        return all(self._is_read(core.name, *place) for place in places)

    def _is_read(self, group: str, topic: str, partition: int) -> bool:
        reached = self.groups.committed(group, topic, partition)
        return not self.log.read(topic, partition, reached or self.log.start_offset(topic, partition), 1)

    def validated(self) -> list[str]:
        return self._ids(RECORDS_VALIDATED.name)

    def predicted(self) -> list[str]:
        return self._ids(PREDICTIONS.name)

    def counted(self) -> list[PerformanceCounted]:
        return [event for event in self._events(PERFORMANCE.name) if isinstance(event, PerformanceCounted)]

    def rows(self, topic: str) -> int:
        """As the headers tell, whoever holds the blobs."""
        return sum(int(message.headers["rows"]) for message in self.messages(topic))

    def labelled(self) -> int:
        counted = self.counted()
        return counted[-1].last if counted else 0

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Polls; a broker that is away for a while is no answer yet."""
        until(lambda: self._holds(condition), what, seconds)

    def _holds(self, condition: Callable[[], bool]) -> bool:
        try:
            return condition()
        except LogError:
            return False

    def _events(self, topic: str) -> list[Event]:
        return [event for message in self.messages(topic) if (event := from_message(message)) is not None]

    def _ids(self, topic: str) -> list[str]:
        schema_of = validated_schema if topic == RECORDS_VALIDATED.name else predictions_schema
        found: list[str] = []
        for message in self.messages(topic):
            contract = self.read(message.headers["file"], decode_pipeline).contract
            found += decode_batch(message.value, schema_of(contract)).column(ID).to_pylist()
        return found

    def _all(self, topic: str) -> Iterator[Message]:
        for partition in range(self.log.partitions(topic)):
            yield from self._read_on(topic, partition)

    def _read_on(self, topic: str, partition: int) -> list[Message]:
        kept = self._kept.setdefault((topic, partition), [])
        offset = kept[-1].offset + 1 if kept else self.log.start_offset(topic, partition)
        while found := self.log.read(topic, partition, offset, 500):
            kept += found
            offset = found[-1].offset + 1
        return kept
