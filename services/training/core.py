"""Training: notices what is due, asks for jobs, claims them, and starts the work for accepted claims only.

The consumer never trains.  It appends a claim and goes on in milliseconds; once the claim stands first in the
ledger, the work starts in a process of its own and reports to the ledger itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.training.choices import PAST, choose
from services.training.fold import end, fold
from services.training.marks import add_mark, labels_seen, rows_seen
from services.training.requests import probe_request, training_request
from services.training.state import TrainingState
from services.training.triggers import braked, due, suppression
from services.training.work import encode_work
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import decode_pipeline
from shared.events import jobs as job_fold
from shared.events.base import Event
from shared.events.commands import RetrainModel
from shared.events.deployment import CandidatePromoted, CommandRefused, PipelineApplied, TrialPended
from shared.events.drift_detection import DriftMatured
from shared.events.envelope import from_message, to_append
from shared.events.prediction import PerformanceCounted
from shared.events.topics import COMMANDS, LEDGER, PERFORMANCE
from shared.events.training import (
    EvaluationCompleted,
    JobClaimed,
    JobFailed,
    ProbeCompleted,
    ProbeRequested,
    TrainingRequested,
    Trigger,
)
from shared.runtime.core import Append, Effect, Input, Message, Read, Run, Step, Tick, Unit, Wake

LEASES = "leases"
AWAITED = (PipelineApplied, DriftMatured, CandidatePromoted, TrialPended, EvaluationCompleted, JobFailed)
"""Ledger events after which something may be due at once: the labelled rows may have come before the event."""
SETTLED = 4
"""Windows of labels after a change in which checks still ask whether to forget its past."""


Said = tuple[TrainingState, tuple[Event, ...]]


class Training:
    """The core. ``worker`` names the process that claims jobs."""

    name = "training"
    reads = (LEDGER.name, COMMANDS.name, PERFORMANCE.name)
    state_type: Any = TrainingState
    per_lane = False

    def __init__(self, worker: str) -> None:
        self._worker = worker

    def initial(self, unit: Unit) -> TrainingState:
        return TrainingState(unit.pipeline)

    def handle(self, state: TrainingState, item: Input, read: Read) -> Step[TrainingState]:
        if isinstance(item, Tick):
            return self._claim_lapsed(state, item)
        event = from_message(item) if isinstance(item, Message) else None
        if event is None or not isinstance(item, Message):
            return Step(state)
        pipeline = read(state.file, decode_pipeline) if state.file else None
        if isinstance(event, PerformanceCounted):
            return _on_performance(state, event, item, pipeline, read)
        if item.topic == COMMANDS.name:
            return _on_command(state, event, item, pipeline)
        return self._on_ledger(state, event, item, pipeline)

    def _on_ledger(
        self, state: TrainingState, event: Event, message: Message, pipeline: Pipeline | None
    ) -> Step[TrainingState]:
        accepted = job_fold.accepted(state.jobs, event)
        requests = {request.job: request for request in state.probes}
        state = fold(state, event, message.offset, message.timestamp, pipeline)
        said: tuple[Event, ...] = ()
        if isinstance(event, DriftMatured):
            state = _ripen(state, event)
        if isinstance(event, ProbeCompleted) and accepted:
            state = replace(state, probed=(*state.probed, (event, requests[event.job])))
        if pipeline is not None and isinstance(event, AWAITED):
            state, said = _answer_due(state, pipeline)
        elif pipeline is not None and isinstance(event, ProbeCompleted):
            state, said = _answer_probed(state, pipeline)
        state, effects = _say(state, said, message)
        if isinstance(event, JobClaimed):
            return Step(state, (*effects, *self._start(state, event, message)))
        state, claims = self._claim(state, event)
        return Step(state, (*effects, *(_append(e, message) for e in claims)))

    def _start(self, state: TrainingState, event: JobClaimed, message: Message) -> tuple[Effect, ...]:
        """The work of a claim that was accepted, if it is ours."""
        job = state.jobs.find(event.job)
        if job is None or job.token != message.offset:
            return ()
        # Whoever folds the claim watches its lease: the claimant may be gone, or have lost the pipeline.
        wake = Wake(LEASES, message.timestamp + job_fold.LEASE + 1)
        mine = job.worker == self._worker
        return (wake, Run(job.id, message.offset, _payload(state, job.id))) if mine else (wake,)

    def _claim(self, state: TrainingState, event: Event) -> Said:
        """The first open job, once. One job at a time per pipeline."""
        first = state.jobs.open[0] if state.jobs.open else None
        changes = isinstance(event, job_fold.Requested | job_fold.Result)
        if first is None or not changes or (first.token is not None and not _given_up(event, first)):
            return state, ()
        claim = (first.id, first.attempt + 1)
        if claim == state.claim:
            return state, ()
        return replace(state, claim=claim), (self._next_attempt(state, first),)

    def _next_attempt(self, state: TrainingState, job: job_fold.Job) -> Event:
        """A claim, or the end of a job that had all its attempts."""
        if job.attempt >= job_fold.ATTEMPTS and job.token is not None:
            reason = f"no result in {job.attempt} attempts"
            return JobFailed(pipeline=state.pipeline, job=job.id, token=job.token, reason=reason, final=True)
        return JobClaimed(pipeline=state.pipeline, job=job.id, attempt=job.attempt + 1, worker=self._worker)

    def _claim_lapsed(self, state: TrainingState, tick: Tick) -> Step[TrainingState]:
        """A job without a sign of life past its lease: claim it again, or give it up after the last attempt."""
        job = state.jobs.open[0] if state.jobs.open else None
        if job is None or job.token is None:
            return Step(state)
        if not job.lapsed(tick.now):
            return Step(state, (Wake(LEASES, job.alive + job_fold.LEASE + 1),))
        event = self._next_attempt(state, job)
        return Step(state, (to_append(LEDGER.name, event), Wake(LEASES, tick.now + job_fold.LEASE + 1)))


def _given_up(event: Event, job: job_fold.Job) -> bool:
    """An attempt that failed, but not for good: the same worker may claim the next one."""
    return isinstance(event, JobFailed) and event.job == job.id and event.token == job.token and not event.final


def _on_performance(
    state: TrainingState, counted: PerformanceCounted, message: Message, pipeline: Pipeline | None, read: Read
) -> Step[TrainingState]:
    """The marks come first: counts may be read before the ledger's word that the pipeline was applied."""
    applied, pipeline = pipeline is not None, pipeline or read(counted.file, decode_pipeline)
    keep = int((pipeline.retraining.memory + 1) * pipeline.window)
    marks = add_mark(state.marks, counted, keep)
    time = max((t for t in (state.time, counted.time) if t is not None), default=None)
    state = replace(state, marks=marks, label=labels_seen(marks), row=rows_seen(marks), time=time)
    state, events = _answer_due(state, pipeline) if applied else (state, ())
    return Step(*_say(state, events, message))


def _on_command(state: TrainingState, event: Event, message: Message, pipeline: Pipeline | None) -> Step[TrainingState]:
    if not isinstance(event, RetrainModel):
        return Step(state)
    if pipeline is None:
        return Step(state, (_append(_refused(event), message),))
    said = braked(state, pipeline, event.command, "request", 0) or (
        training_request(state, pipeline, event.command, "request", 0, state.window, state.last_change),
    )
    return Step(*_say(state, said, message))


def _refused(command: RetrainModel) -> Event:
    """The ledger's word that the pipeline was applied may come after a command that was given after it."""
    reason = "no pipeline file has come to training yet: apply one, or ask again in a moment"
    return CommandRefused(pipeline=command.pipeline, command=command.command, reason=reason)


def _ripen(state: TrainingState, event: DriftMatured) -> TrainingState:
    """Keeps a stage until its rows have been counted here too: the ledger may be ahead of the performance counts."""
    known = any((other.episode, other.stage) == (event.episode, event.stage) for other in state.ripe)
    return state if known else replace(state, ripe=(*state.ripe, event))


def _answer_due(state: TrainingState, pipeline: Pipeline) -> Said:
    """Probes and matured stages whose rows have been counted, then what else the labelled rows make due."""
    state, probed = _answer_probed(state, pipeline)
    said = [*probed]
    for event in (event for event in state.ripe if event.label <= state.label):
        state, answers = _on_matured(state, event, pipeline)
        said += answers
    state = replace(state, ripe=tuple(event for event in state.ripe if event.label > state.label))
    state, others = due(state, pipeline)
    return state, (*said, *others)


def _answer_probed(state: TrainingState, pipeline: Pipeline) -> Said:
    """Each probe once the rows that it saw have been counted here too: after a crash the ledger may be ahead."""
    said: list[Event] = []
    for answer in (answer for answer in state.probed if answer[1].label <= state.label):
        state = replace(state, probed=tuple(other for other in state.probed if other is not answer))
        state, events = _on_probed(state, *answer, pipeline)
        said += events
    return state, tuple(said)


def _on_matured(state: TrainingState, event: DriftMatured, pipeline: Pipeline) -> Said:
    """Enough rows from after the change: train, or first let probes choose the rows."""
    change = state.change(event.episode)
    if change is None:
        return state, ()
    if event.final:
        others = tuple(other for other in state.changes if other is not change)
        state = replace(end(state, event.episode), changes=others, last_change=change.since_label, window=PAST)
    policy = pipeline.retraining
    trigger: Trigger = "inputs" if change.origin == "inputs" else "drift"
    stopped = braked(state, pipeline, event.episode, trigger, event.stage) or _unanswered(
        state, event, pipeline, trigger
    )
    if stopped:
        return state, stopped
    state = _space_checks(state, pipeline)
    if policy.last is not None:
        return state, (training_request(state, pipeline, event.episode, "drift", event.stage, "last"),)
    split = event.since_label + (state.label - event.since_label) // 2
    return state, (probe_request(state, pipeline, event.episode, trigger, event.stage, event.since_label, split),)


def _space_checks(state: TrainingState, pipeline: Pipeline) -> TrainingState:
    """The answer to a drift is a check brought forward: the next one is due a whole interval later."""
    if state.next_check is None:
        return state
    interval = int(pipeline.retraining.check_again * pipeline.window)
    return replace(state, next_check=state.check_from(state.label, interval))


def _unanswered(state: TrainingState, event: DriftMatured, pipeline: Pipeline, trigger: Trigger) -> tuple[Event, ...]:
    policy = pipeline.retraining
    if state.champion is None:
        return (suppression(state, event.episode, trigger, event.stage, "no version serves yet"),)
    wanted = policy.on_inputs == "check" if trigger == "inputs" else policy.on_drift
    return () if wanted else (suppression(state, event.episode, trigger, event.stage, "the policy only watches"),)


def _on_probed(state: TrainingState, probed: ProbeCompleted, request: ProbeRequested, pipeline: Pipeline) -> Said:
    """Probes have spoken: forget, train, or leave it."""
    choice = choose(probed, request.trigger, pipeline.promotion.odds, state.lead, state.window)
    state = replace(state, window=choice.window)
    if request.trigger != "drift":
        state = replace(state, lead=choice.lead, last_change=_still_open(state, pipeline))
    if not choice.pays:
        return state, (suppression(state, request.cause, request.trigger, request.stage, choice.reason, choice.gain),)
    training = training_request(
        state, pipeline, request.cause, request.trigger, request.stage, choice.window, request.since_label
    )
    return state, (training,)


def _still_open(state: TrainingState, pipeline: Pipeline) -> int | None:
    """A change is settled when its past did no harm for a few windows, or has left the memory."""
    last = state.last_change
    horizon = SETTLED if state.window == PAST else pipeline.retraining.memory
    return None if last is None or state.label - last >= horizon * pipeline.window else last


def _say(state: TrainingState, events: tuple[Event, ...], cause: Message) -> tuple[TrainingState, tuple[Effect, ...]]:
    asked = [event.job for event in events if isinstance(event, TrainingRequested | ProbeRequested)]
    state = replace(state, asked=asked[-1]) if asked else state
    return state, tuple(_append(event, cause) for event in events)


def _append(event: Event, cause: Message) -> Append:
    return to_append(LEDGER.name, event, cause, correlation=getattr(event, "cause", ""))


def _payload(state: TrainingState, job: str) -> bytes:
    """All that a child process needs to do the work: the request, and the versions that it names."""
    requests: tuple[job_fold.Requested, ...] = (*state.trainings, *state.evaluations, *state.probes)
    return encode_work(next(request for request in requests if request.job == job), state.known)
