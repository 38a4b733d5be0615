"""Training and deployment over one memory log. What would need rows and models (jobs' numbers) is the test's to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from services.deployment.core import Deployment
from services.embedded.loop import Loop
from services.training.core import Training
from services.training.work import decode_work
from shared.adapters.memory import MemoryBlobs, MemoryLog
from shared.domain.dispersion import Dispersion
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import canonical_bytes
from shared.domain.quality import MILLION
from shared.domain.trials import Paired
from shared.events.base import Event, derive_id
from shared.events.commands import ApplyPipeline
from shared.events.deployment import ServingChanged
from shared.events.drift_detection import DriftDetected, DriftMatured
from shared.events.envelope import from_message, to_append
from shared.events.prediction import PerformanceCounted
from shared.events.topics import COMMANDS, LEDGER, PERFORMANCE, SERVING, TOPICS
from shared.events.training import (
    EvaluationCompleted,
    EvaluationRequested,
    JobFailed,
    ProbeCompleted,
    ProbeRequested,
    TrainingCompleted,
    TrainingRequested,
)
from shared.runtime.core import Message, Run, Unit
from shared.runtime.hosts import append_to
from shared.runtime.jobs import JobServices
from tests.unit.prediction.bench import NAME, pipeline

Kind = TypeVar("Kind", bound=Event)
EVEN = Paired(100, 5, 5, 10 * MILLION, 10 * MILLION)
BETTER = Paired(100, 30, 5, 10 * MILLION, 35 * MILLION)
WORSE = BETTER.swapped()


class Desk:
    """``probe``, ``forget``, ``evaluate``: what jobs find. ``runs``: jobs started and, if ``held``, not yet done.

    Freshness checks are off unless a test turns them on.
    """

    def __init__(self, held: bool = False, **fields: Any) -> None:
        self.now = 0
        fields["retraining"] = {"check_after": None} | fields.get("retraining", {})
        self.pipeline: Pipeline = pipeline(**fields)
        self.log = MemoryLog.of(TOPICS, lambda: self.now)
        self.blobs = MemoryBlobs()
        self.held = held
        self.runs: list[Run] = []
        self.probe = BETTER
        self.forget: Paired | None = None
        self.evaluate: Callable[[EvaluationRequested], dict[str, Paired]] = lambda _: {"all": EVEN}
        self.fails: set[str] = set()
        self.labelled = 0
        self.loop = Loop((Training("worker"), Deployment()), self.log, self.blobs, self._job)
        self.apply()

    def apply(self, command: str = "apply") -> None:
        file = self.blobs.put(canonical_bytes(self.pipeline))
        self.send(COMMANDS.name, ApplyPipeline(pipeline=NAME, command=command, file=file))
        self.file = file

    def send(self, topic: str, *events: Event) -> None:
        for event in events:
            append_to(self.log, to_append(topic, event))
        self.now += 1
        self.loop.drain()

    def say(self, *events: Event) -> None:
        self.send(LEDGER.name, *events)

    def label(self, rows: int, *, whole: bool = False) -> None:
        """Labelled rows come in, step by step or all in one message."""
        end = self.labelled + rows
        while self.labelled < end:
            stop = end if whole else min(end, self.pipeline.steps.end(self.labelled))
            self.send(PERFORMANCE.name, counted(self.file, self.labelled, stop))
            self.labelled = stop

    def drift(self, name: str, since: int | None = None, origin: Any = "performance") -> str:
        """An episode, detected and matured."""
        since = self.labelled - self.pipeline.window // 4 if since is None else since
        self.say(detected(name, since, self.labelled, origin), matured(name, since, self.labelled))
        return name

    def serve_first(self) -> str:
        self.label(self.pipeline.window)
        assert self.champion is not None
        return self.champion

    @property
    def messages(self) -> list[Message]:
        return self.log.read(LEDGER.name, 0, 0, 10**6)

    @property
    def events(self) -> list[Event]:
        return [event for message in self.messages if (event := from_message(message)) is not None]

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def serving(self) -> list[ServingChanged]:
        found = (from_message(message) for message in self.log.read(SERVING.name, 0, 0, 10**6))
        return [event for event in found if isinstance(event, ServingChanged)]

    @property
    def champion(self) -> str | None:
        return self.serving[-1].version

    def state(self, core: str) -> Any:
        held = self.loop.held(core, Unit(NAME))
        assert held is not None
        return held.state

    def finish(self, run: Run) -> None:
        """The run's worker reports its result."""
        self.say(self.result(run))

    def result(self, run: Run) -> Event:
        request: Any = decode_work(run.payload).request
        common = {"pipeline": NAME, "job": run.job, "token": run.token, "cause": request.cause}
        if run.job in self.fails or request.cause in self.fails:
            return JobFailed(pipeline=NAME, job=run.job, token=run.token, reason="planted", final=True)
        if isinstance(request, TrainingRequested):
            return completed(request, common)
        if isinstance(request, ProbeRequested):
            against = dict.fromkeys(request.windows, self.probe)
            return ProbeCompleted(
                **common, against_champion=against, present_against_past=self.forget, fits=len(request.windows)
            )
        assert isinstance(request, EvaluationRequested)
        pairs = {version: self.evaluate(request) for version in request.challengers}
        data = request.data
        return EvaluationCompleted(
            **common, champion=request.champion, first_label=data.first_label, last_label=data.last_label, pairs=pairs,
            dispersion=Dispersion(),
        )  # fmt: skip

    def _job(self, run: Run, services: JobServices) -> None:
        self.runs.append(run)
        if not self.held:
            services.append(to_append(LEDGER.name, self.result(self.runs.pop())))


def completed(request: TrainingRequested, common: dict[str, Any]) -> TrainingCompleted:
    return TrainingCompleted(
        **common, trigger=request.trigger, stage=request.stage, window=request.window,
        version=derive_id("version", request.job), model=f"model of {request.job}",
        baseline=f"baseline of {request.job}", manifest="", rows=0, last_label=request.data.last_label,
    )  # fmt: skip


def counted(file: str, first: int, last: int, time: int | None = None) -> PerformanceCounted:
    return PerformanceCounted(
        pipeline=NAME, file=file, generation=1, lane=0, first=first, last=last, row=last, joined_row=last,
        rows_from=first, rows_offset=last, labels_offset=0, versions={}, time=time,
    )  # fmt: skip


def detected(name: str, since: int, label: int, origin: Any = "performance") -> DriftDetected:
    return DriftDetected(
        pipeline=NAME, episode=name, origin=origin, detector="losses", generation=1, row=label, label=label,
        since_row=since, since_label=since, evidence=5, threshold=4,
    )  # fmt: skip


def matured(name: str, since: int, label: int, stage: int = 0, final: bool = True) -> DriftMatured:
    return DriftMatured(
        pipeline=NAME, episode=name, stage=stage, final=final, row=label, label=label, since_label=since
    )
