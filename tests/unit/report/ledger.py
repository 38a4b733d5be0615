"""Ledgers of runs that never happened: every kind of episode, training, refusal and fault."""

from __future__ import annotations

from shared.domain.quality import MILLION
from shared.domain.trials import Paired
from shared.events.base import Event, derive_id
from shared.events.deployment import (
    CandidatePromoted,
    CandidateRejected,
    EpisodeClosed,
    PromotionRolledBack,
    PromotionVerified,
    TrialPended,
)
from shared.events.drift_detection import (
    DataFaultCleared,
    DataFaultFound,
    DriftCleared,
    DriftDetected,
    DriftSuspected,
    FeatureDrift,
)
from shared.events.training import (
    DataRange,
    EvaluationCompleted,
    JobFailed,
    ProbeCompleted,
    TrainingCompleted,
    TrainingRequested,
    TrainingSuppressed,
)

PIPELINE = "insects"
OUTCOMES = (
    "verified",
    "verified",
    "refused",
    "rolled-back",
    "verified",
    "superseded",
    "failed",
    "refused",
    "verified",
    None,
)
DIRECTIONS = ("up", "down", "shape", "missing", "unseen")


def requested(job: str, cause: str, trigger: str, row: int, stage: int = 1, window: str = "last") -> TrainingRequested:
    return TrainingRequested.model_validate(
        {
            "pipeline": PIPELINE,
            "job": job,
            "cause": cause,
            "trigger": trigger,
            "stage": stage,
            "window": window,
            "since_label": max(row - 1000, 0),
            "data": DataRange(first_label=0, last_label=row, lanes=()),
            "seed": 7,
            "file": "f1",
            "row": row,
            "label": row,
        }
    )


def completed(asked: TrainingRequested, rows: int) -> TrainingCompleted:
    return TrainingCompleted(
        pipeline=PIPELINE,
        job=asked.job,
        token=3,
        cause=asked.cause,
        trigger=asked.trigger,
        stage=asked.stage,
        window=asked.window,
        version=derive_id("version", asked.job),
        model="m",
        baseline="b",
        manifest="t",
        rows=rows,
        last_label=asked.label,
        environment={"python": "3.11.9", "scikit-learn": "1.6.0"},
        measured_seconds=0.412 + rows / 5000,
    )


def feature(name: str, index: int) -> FeatureDrift:
    size = 0.62 / (index + 1)
    return FeatureDrift(
        name=name,
        log_evidence=14.2 / (index + 1),
        direction=DIRECTIONS[index % len(DIRECTIONS)],
        psi=size * 1.4,
        ks=size * 0.8,
        js=size / 3,
        wasserstein=size * 2,
        total_variation=size,
    )


def episode(number: int, row: int, length: int, names: tuple[str, ...]) -> list[Event]:
    """A drift found at a row and what came of it; the outcome follows the number."""
    cause, outcome = derive_id("episode", number), OUTCOMES[number % len(OUTCOMES)]
    since = row - length // 6
    by_inputs = number % 3 != 1
    found = DriftDetected(
        pipeline=PIPELINE,
        episode=cause,
        origin="inputs" if by_inputs else "performance",
        detector="counts" if by_inputs else "shiryaev-roberts",
        generation=number + 1,
        version="v0",
        row=row,
        label=row,
        since_row=since,
        since_label=since,
        evidence=3.12 + number / 100,
        threshold=2.9,
        loss_before=None if by_inputs else 0.12,
        loss_after=None if by_inputs else 0.41,
        features=tuple(feature(name, index) for index, name in enumerate(names)) if by_inputs else (),
        warnings=("“wing_beat” and “amplitude” look swapped.",) if number == 2 else (),
    )
    suspected = DriftSuspected(
        pipeline=PIPELINE,
        episode=cause,
        origin=found.origin,
        generation=1,
        row=row - 50,
        label=row,
        evidence=30,
        threshold=800,
    )
    return [suspected, found, *response(cause, outcome, row, length)]


def response(cause: str, outcome: str | None, row: int, length: int) -> list[Event]:
    """Jobs, verdicts and the close; an outcome of None leaves the episode open."""
    job, second, at = derive_id(cause, 1), derive_id(cause, 2), row + length // 4
    first_ask = requested(job, cause, "drift", at, 1, "past-and-present")
    if outcome in ("superseded", None):
        held = {"stage": 1, "reason": "cooldown: 340 of 1,000 rows have passed since the last training", "row": at}
        suppressed = TrainingSuppressed(pipeline=PIPELINE, cause=cause, trigger="drift", label=at, **held)
        return [suppressed, *([closed(cause, outcome, 0.0, row + length)] if outcome else [])]
    if outcome == "failed":
        failure = JobFailed(
            pipeline=PIPELINE, job=job, token=1, reason="only one class in the training rows", final=True
        )
        return [first_ask, failure, closed(cause, outcome, 0.0, row + length)]
    second_ask = requested(second, cause, "drift", at + length // 4, 2, "present-only")
    probed = ProbeCompleted(
        pipeline=PIPELINE,
        job=derive_id(cause, "probe"),
        token=2,
        cause=cause,
        against_champion={"past-and-present": Paired(120, 31, 12, 0, 0), "present-only": Paired(120, 24, 17, 0, 0)},
        present_against_past=Paired(120, 9, 14, 0, 0),
        fits=2,
        measured_seconds=0.21,
    )
    trained = [probed, first_ask, completed(first_ask, 4125), second_ask, completed(second_ask, 500)]
    return [*trained, *verdicts(cause, outcome, trained, row, length)]


def verdicts(cause: str, outcome: str, trained: list[Event], row: int, length: int) -> list[Event]:
    """What the gate said, and what later labels said about that."""
    one, two = (event for event in trained if isinstance(event, TrainingCompleted))
    base = {"pipeline": PIPELINE, "cause": cause, "label": row, "row": row + length // 2}
    trial = Paired(500, 88, 31, 60 * MILLION, 117 * MILLION)
    pended = TrialPended(
        pipeline=PIPELINE,
        version=two.version,
        job=two.job,
        cause=cause,
        champion="v0",
        since_label=row,
        until_label=row + 250,
    )
    scored = EvaluationCompleted(
        pipeline=PIPELINE, job=derive_id(cause, "duel"), token=9, cause=cause, champion="v0", first_label=row,
        last_label=row + 500, pairs={one.version: {"all": trial}, two.version: {"all": trial.swapped()}},
    )  # fmt: skip
    worse = (
        "accuracy on the hold-out 61.2 % is below the champion’s 64.0 %",
        "slice culex-male regressed by 9.1 points",
    )
    refused = CandidateRejected(job=two.job, version=two.version, reasons=worse, trial=trial.swapped(), **base)
    if outcome == "refused":
        first = CandidateRejected(job=one.job, version=one.version, reasons=worse[:1], trial=trial.swapped(), **base)
        return [pended, scored, first, refused, closed(cause, outcome, 0.0, row + length)]
    promoted = CandidatePromoted(
        job=one.job, version=one.version, expected_version="v0", rule="provisional", generation=2, trial=trial,
        reasons=("hold-out tail 84.0 % against 61.5 %", "above every limit"), **base,
    )  # fmt: skip
    return [pended, scored, promoted, refused, aftermath(cause, outcome, one.version, row + length, trial),
            closed(cause, outcome, 0.187 if outcome == "verified" else -0.031, row + length)]  # fmt: skip


def aftermath(cause: str, outcome: str, version: str, row: int, trial: Paired) -> Event:
    base = {"pipeline": PIPELINE, "cause": cause, "row": row, "label": row}
    if outcome == "verified":
        return PromotionVerified(version=version, over="v0", trial=trial, **base)
    return PromotionRolledBack(
        version=version, to="v0", reason="the old champion was better", trial=trial.swapped(), generation=3, **base
    )


def closed(cause: str, outcome: str | None, gain: float, row: int) -> EpisodeClosed:
    return EpisodeClosed.model_validate(
        {
            "pipeline": PIPELINE,
            "episode": cause,
            "outcome": outcome,
            "gain": gain,
            "version": None,
            "row": row,
            "label": row,
        }
    )


def fault(number: int, first: int, last: int, *, clears: bool = True) -> list[Event]:
    found = DataFaultFound(
        pipeline=PIPELINE, fault=f"fault-{number}", kind="null-burst", column="temperature", share=0.64,
        detail="64 % missing against 2 %", generation=1, epoch=first // 100, first=first, last=first + 100,
    )  # fmt: skip
    over = DataFaultCleared(
        pipeline=PIPELINE, fault=f"fault-{number}", column="temperature", first=first, last=last, by="clean epochs"
    )
    return [found, over] if clears else [found]


def growth(row: int) -> list[Event]:
    asked = requested(derive_id("growth", row), derive_id("growth-cause", row), "growth", row)
    done = completed(asked, row)
    return [asked, done, CandidateRejected(
        pipeline=PIPELINE, job=asked.job, cause=asked.cause, version=done.version, row=row + 300, label=row,
        reasons=("evidence 3:1 is short of 20:1",), trial=Paired(800, 41, 33, 0, 0),
    )]  # fmt: skip


def ledger(
    records: int, episodes: int = 10, names: tuple[str, ...] = ("wing_beat", "temperature", "amplitude", "humidity")
) -> tuple[Event, ...]:
    """A whole run's events; causes are spread evenly over the stream."""
    step = records // (episodes + 1)
    told = [event for n in range(episodes) for event in episode(n, (n + 1) * step, step * 2 // 3, names)]
    faded = DriftCleared(pipeline=PIPELINE, episode="faded", row=step // 2, label=0, reason="evidence fell")
    return (*growth(records // 20), *told, faded, *fault(1, records // 4, records // 4 + records // 60),
            *fault(2, records * 7 // 10, records * 7 // 10 + records // 40))  # fmt: skip
