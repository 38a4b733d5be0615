"""What must hold of the whole loop, whatever crashes: each class states one invariant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

import orjson

from services.embedded.simulation.checkers import AllRead, LogOrder, OffsetsMonotone, where
from services.embedded.simulation.history import History, Unread
from services.embedded.simulation.loop_endings import (
    FOLDERS,
    ChampionsAgree,
    Decided,
    EpisodesEnd,
    NothingOpen,
    stored,
)
from services.embedded.simulation.loop_model import REQUESTS, RESULTS, Entry, Ledger, LedgerReader
from services.embedded.simulation.loop_rows import Conserved, LabelsCountedOnce, Predicted
from services.embedded.simulation.loop_stream import Stream
from services.embedded.simulation.scenario import Checker
from shared.events.deployment import CandidatePromoted, ServingChanged
from shared.events.drift_detection import DriftAttributed, DriftDetected, DriftSuspected
from shared.events.envelope import from_message
from shared.events.jobs import Jobs
from shared.events.topics import (
    COMMANDS,
    LABELS,
    LEDGER,
    PERFORMANCE,
    PREDICTIONS,
    PROFILES,
    RECORDS_INGESTED,
    RECORDS_VALIDATED,
    SERVING,
)
from shared.events.training import JobFailed, ProbeRequested, TrainingCompleted, TrainingRequested


def checkers(stream: Stream) -> tuple[Checker, ...]:
    """All of them, for one run."""
    ledger = Ledger()
    lanes = (RECORDS_INGESTED.name, RECORDS_VALIDATED.name, PREDICTIONS.name)
    return (
        LogOrder(*lanes, PERFORMANCE.name, LEDGER.name),
        OffsetsMonotone(),
        BlobsExist(),
        JobsAgree(ledger),
        OneResult(ledger),
        NothingFails(ledger),
        OneJob(ledger),
        OnePromotion(ledger),
        Fencing(ledger),
        SameFact(ledger),
        FrozenRows(ledger),
        ChampionsAgree(ledger),
        Conserved(),
        Predicted(),
        LabelsCountedOnce(stream.labels),
        NothingOpen(ledger),
        Decided(ledger),
        EpisodesEnd(ledger),
        AllRead(
            {
                "validation": (RECORDS_INGESTED.name,),
                "prediction": (RECORDS_VALIDATED.name, LABELS.name),
                "drift_detection": (PROFILES.name, PERFORMANCE.name, COMMANDS.name),
                "training": (LEDGER.name, COMMANDS.name, PERFORMANCE.name),
                "deployment": (LEDGER.name, COMMANDS.name),
            }
        ),
    )


class BlobsExist:
    """Whatever an event names by digest can be opened as soon as the event can be read."""

    name = "blobs-exist"
    topics = (LEDGER.name, SERVING.name, PROFILES.name)
    fields = ("file", "model", "baseline", "manifest")

    def __init__(self) -> None:
        self._unread = [Unread(topic) for topic in self.topics]
        self._found: set[str] = set()

    def observe(self, history: History) -> str | None:
        for message in (message for unread in self._unread for message in unread(history)):
            document = orjson.loads(message.value)
            for name in self.fields:
                digest = document.get(name)
                if digest and digest not in self._found:
                    if not history.blobs.contains(digest):
                        return f"{where(message)} names {name} {digest}, which is not stored"
                    self._found.add(digest)
        return None


class JobsAgree:
    """Every stored state of a core that folds the ledger holds the jobs that the ledger has up to there.

    A claim counts if it is the job's next one and the lease of the one before is over, three times at most; a result
    counts under the newest claim's token and while the job is open. So no effect is accepted under an old token.
    """

    name = "jobs-agree"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._unread = {core: Unread(f"snapshots.{core}") for core in FOLDERS}

    def observe(self, history: History) -> str | None:
        self._ledger.read(history)
        for core, unread in self._unread.items():
            for message in unread(history):
                state, offset = stored(core, message)
                found = {job.id: (job.attempt, job.token) for job in cast(Jobs, state.jobs).open}
                wanted = self._jobs(offset)
                if found != wanted:
                    return f"{core} at ledger {offset} holds jobs {found}; the ledger says {wanted}"
        return None

    def _jobs(self, offset: int) -> dict[str, tuple[int, int | None]]:
        known = self._ledger.tokens
        return next((jobs for end, jobs in reversed(known) if end <= offset), {})


class OneResult:
    """A job has at most one accepted result, and an accepted result follows its request."""

    name = "one-result"

    def __init__(self, ledger: Ledger) -> None:
        self._entries = LedgerReader(ledger)
        self._results: Counter[str] = Counter()

    def observe(self, history: History) -> str | None:
        for entry in self._entries(history):
            if isinstance(entry.event, RESULTS) and entry.counts:
                self._results[entry.event.job] += 1
                if self._results[entry.event.job] > 1:
                    return f"{where(entry.message)} is the second result of job {entry.event.job}"
        return None


class NothingFails:
    """A job fails for want of a living worker only: each gets rows that it can learn from or score."""

    name = "nothing-fails"

    def __init__(self, ledger: Ledger) -> None:
        self._entries = LedgerReader(ledger)

    def observe(self, history: History) -> str | None:
        for entry in self._entries(history):
            event = entry.event
            if isinstance(event, JobFailed) and "attempts" not in event.reason:
                return f"{where(entry.message)}: job {event.job} failed: {event.reason}"
        return None


class OneJob:
    """A cause's stage asks for one training and one probe: what is asked again has the id of what was asked."""

    name = "one-job"

    def __init__(self, ledger: Ledger) -> None:
        self._entries = LedgerReader(ledger)
        self._jobs: dict[tuple[str, str, int], str] = {}

    def observe(self, history: History) -> str | None:
        for entry in self._entries(history):
            event = entry.event
            if isinstance(event, TrainingRequested | ProbeRequested):
                known = self._jobs.setdefault((event.type, event.cause, event.stage), event.job)
                if known != event.job:
                    return f"{where(entry.message)} asks for job {event.job}; the same cause asked for {known}"
        return None


class OnePromotion:
    """A job leads to one promotion at most, however often it is said; each valid one expects who serves."""

    name = "one-promotion"

    def __init__(self, ledger: Ledger) -> None:
        self._entries = LedgerReader(ledger)
        self._promoted: dict[str, int] = {}

    def observe(self, history: History) -> str | None:
        for entry in self._entries(history):
            event = entry.event
            if isinstance(event, CandidatePromoted) and entry.counts:
                if event.job in self._promoted:
                    return f"{where(entry.message)} promotes job {event.job} again, after {self._promoted[event.job]}"
                self._promoted[event.job] = entry.message.offset
        return None


class Fencing:
    """Nothing but an accepted result can be promoted or served: every version has one before it, with its model."""

    name = "fencing"

    def __init__(self, ledger: Ledger) -> None:
        self._entries = LedgerReader(ledger)
        self._serving = Unread(SERVING.name)
        self._models: dict[str, str] = {}

    def observe(self, history: History) -> str | None:
        for entry in self._entries(history):
            event = entry.event
            if isinstance(event, TrainingCompleted) and entry.counts:
                self._models[event.version] = event.model
            if isinstance(event, CandidatePromoted) and event.version not in self._models:
                return f"{where(entry.message)} promotes {event.version}, whose result was not accepted"
        for message in self._serving(history):
            served = from_message(message)
            if (
                isinstance(served, ServingChanged)
                and served.version
                and self._models.get(served.version) != served.model
            ):
                return f"{where(message)} serves {served.version} with a model that no accepted result names"
        return None


class SameFact:
    """Ledger entries of one id say the same: measurements and tokens apart, and apart from what a request froze.

    A request, and what is said of one, tells how far the stream had come when it was made.  A process that dies after
    saying it, before saving that it did, may say it again from further on; the first one counts (`FrozenRows`).
    """

    name = "same-fact"
    may_differ = frozenset({"measured_seconds", "token", "row", "label"})
    of_inputs = frozenset({"generation", "features", "warnings", "since_row"})
    """What a loss alarm tells of the other test, as far as that had come."""
    of_requests = ("pipeline", "job", "cause", "trigger", "stage")

    def __init__(self, ledger: Ledger) -> None:
        self._entries = LedgerReader(ledger)
        self._said: dict[str, tuple[str, Mapping[str, Any]]] = {}

    def observe(self, history: History) -> str | None:
        for entry in self._entries(history):
            said = self._content(entry)
            known = self._said.setdefault(entry.message.headers["ce_id"], (where(entry.message), said))
            if known[1] != said:
                differing = sorted(name for name in said if said[name] != known[1].get(name))
                return f"{where(entry.message)} and {known[0]} share an id and differ in {differing}: {entry.event}"
        return None

    def _content(self, entry: Entry) -> Mapping[str, Any]:
        document = orjson.loads(entry.message.value)
        if isinstance(entry.event, REQUESTS):
            return {name: document.get(name) for name in self.of_requests}
        moved = isinstance(entry.event, DriftDetected | DriftSuspected | DriftAttributed)
        timed = self.of_inputs if moved else frozenset()
        return {name: value for name, value in document.items() if name not in self.may_differ | timed}


class FrozenRows:
    """A training learns exactly from the labelled rows that its job's first request froze: all attempts, the same."""

    name = "frozen-rows"

    def __init__(self, ledger: Ledger) -> None:
        self._entries = LedgerReader(ledger)
        self._requests: dict[str, TrainingRequested] = {}
        self._manifests: dict[str, str] = {}

    def observe(self, history: History) -> str | None:
        for entry in self._entries(history):
            event = entry.event
            if isinstance(event, TrainingRequested):
                self._requests.setdefault(event.job, event)
            if isinstance(event, TrainingCompleted) and (wrong := self._wrong(event)):
                return f"{where(entry.message)}: {wrong}"
        return None

    def _wrong(self, event: TrainingCompleted) -> str:
        request = self._requests.get(event.job)
        if request is None:
            return f"nobody asked for job {event.job}"
        wanted = sum(lane.last - lane.first for lane in request.data.lanes)
        wrong = event.rows > wanted if request.data.excluded else event.rows != wanted
        if wrong or event.last_label != request.data.last_label:
            frozen = f"{wanted} up to {request.data.last_label}"
            return f"learnt {event.rows} rows up to {event.last_label}; frozen were {frozen}"
        if self._manifests.setdefault(event.job, event.manifest) != event.manifest:
            return f"two attempts at job {event.job} learnt from different rows"
        return ""
