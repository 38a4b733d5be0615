"""Backtest results to render: realistic, large, empty, regression and hostile ones."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace

from services.backtest.result import BacktestResult, EvidencePoint, PolicyResult, QualityPoint
from shared.domain.quality import MILLION, Quality
from shared.events.base import Event
from shared.events.deployment import (
    CandidatePromoted,
    CandidateRejected,
    PromotionRolledBack,
)
from shared.events.drift_detection import (
    DataFaultFound,
    DriftDetected,
)
from shared.events.training import (
    JobFailed,
    TrainingCompleted,
    TrainingSuppressed,
)
from tests.unit.report.ledger import ledger

CLASSES = ("aedes-female", "aedes-male", "culex-female", "culex-male")


def quality(n: int, accuracy: float, seed: int = 0, classes: tuple[str, ...] = CLASSES) -> Quality:
    """Counts with about this accuracy, errors spread over the classes."""
    source = random.Random(seed)
    cells: dict[tuple[str, str], int] = {}
    for row in range(n):
        true = classes[row % len(classes)]
        said = true if source.random() < accuracy else classes[(row + source.randint(1, 3)) % len(classes)]
        cells[true, said] = cells.get((true, said), 0) + 1
    errors = sum(count for (true, said), count in cells.items() if true != said)
    return Quality(n, errors * MILLION, tuple((t, s, c) for (t, s), c in sorted(cells.items())))


def error(n: int, mean: float) -> Quality:
    """Regression counts with this mean absolute error."""
    return Quality(
        n, round(n * MILLION * mean / 100), (), round(n * mean * MILLION), round(n * mean**2 * 1.7 * MILLION)
    )


def level(name: str, share: float) -> float:
    """A policy's accuracy at a point of the stream (0 to 1), with drops at three changes."""
    drops = sum(share > at for at in (0.3, 0.55, 0.78))
    since = min((share - at for at in (0.3, 0.55, 0.78) if share > at), default=1.0)
    if name == "drift":
        return 0.9 - 0.25 * math.exp(-since * 55) * (drops > 0)
    if name.startswith("every"):
        return 0.88 - 0.28 * math.exp(-since * 16) * (drops > 0)
    return {"never": 0.89 - 0.13 * drops, "majority": 0.27, "last-class": 0.31}.get(name, 0.8)


def curve(name: str, initial: int, records: int, slices: int, *, regression: bool = False) -> tuple[QualityPoint, ...]:
    source, size = random.Random(name), max((records - initial) // slices, 1)
    points = []
    for index in range(slices):
        accuracy = min(max(level(name, (index + 0.5) / slices) + source.gauss(0, 0.45 / math.sqrt(size)), 0.0), 1.0)
        loss = round(size * (1 - accuracy)) * MILLION
        counts = error(size, 60 * (1.05 - accuracy)) if regression else Quality(size, loss)
        points.append(QualityPoint(initial + (index + 1) * size, counts))
    return tuple(points)


def evidence(records: int, points: int, alarms: tuple[int, ...]) -> tuple[EvidencePoint, ...]:
    """Evidence that idles well below the threshold and rises to each alarm."""
    source, made = random.Random(5), []
    for index in range(points):
        row = (index + 1) * records // points
        ahead = min((alarm - row for alarm in alarms if alarm >= row), default=records)
        rise = 3.4 * math.exp(-ahead / (records / 60))
        made.append(EvidencePoint(row, -3 + rise + source.gauss(0, 0.25), -2.6 + rise * 0.7 + source.gauss(0, 0.2)))
    return tuple(made)


def policy(name: str, initial: int, records: int, slices: int = 400, *, regression: bool = False) -> PolicyResult:
    """One policy's totals and curve; only models cost anything."""
    points = curve(name, initial, records, slices, regression=regression)
    n = sum(point.quality.n for point in points)
    loss = sum(point.quality.loss for point in points)
    mean = sum(point.quality.absolute for point in points) / n / MILLION
    counts = error(n, mean) if regression else scaled(quality(1000, 1 - loss / n / MILLION, 3), n)
    fits = {"drift": 4, "every:1000": 9, "detector:adwin": 3}.get(name, 0)
    trained = name not in ("majority", "last-class")
    return PolicyResult(
        name, counts, fits, fits - (fits > 3), int(fits > 3), int(name == "drift"),
        tuple(range(1000, 1000 + 900 * fits, 900)) if name == "drift" else (),
        (records // 4,) if name == "drift" else (),
        (fits + 1) * 0.42 if trained else 0.0, 3.1 + fits, probes=2 * fits if name == "drift" else 0, curve=points,
    )  # fmt: skip


def scaled(counts: Quality, n: int) -> Quality:
    """The same shares on more rows."""
    factor = max(n // counts.n, 1)
    return Quality(counts.n * factor, counts.loss * factor, tuple((t, p, c * factor) for t, p, c in counts.confusion))


def typical(records: int = 20_000, *, slices: int = 400, regression: bool = False) -> BacktestResult:
    """Five policies, ten episodes with every outcome, two faults, three known changes."""
    initial = records // 20
    names = ("majority", "last-class", "never", "every:1000", "drift", "detector:adwin")
    run = {name: policy(name, initial, records, slices, regression=regression) for name in names}
    events = ledger(records)
    alarms = tuple(event.row for event in events if isinstance(event, DriftDetected))
    done = Counter(type(event) for event in events)
    run["drift"] = replace(
        run["drift"], ledger=events, evidence=evidence(records, min(slices * 2, records), alarms), alarms=alarms,
        retrainings=done[TrainingCompleted], promotions=done[CandidatePromoted],
        rejections=done[CandidateRejected], rollbacks=done[PromotionRolledBack],
    )  # fmt: skip
    span = records - initial
    changes = ((0.3, 0.0, "20 °C to 30 °C"), (0.55, 0.03, "30 °C to 25 °C"), (0.78, 0.0, "sensor moved"))
    return BacktestResult(
        data="abrupt_insects.csv.gz", records=records, initial=initial, label_delay=500, seed=7,
        task="regression" if regression else "classification", policies=tuple(run.values()),
        settings="name: insects\nwindow: 1000\ndrift:\n  inputs:\n    epoch: 100\n    false_alarm_epochs: 400\n",
        truth=tuple(
            (initial + int(at * span), initial + int((at + width) * span), what)
            for at, width, what in changes
        ),
        importances={"wing_beat": 0.31, "temperature": 0.12, "amplitude": 0.044},
        command="driftloop backtest insects.yaml --data abrupt_insects.csv.gz --seed 7",
    )  # fmt: skip


def million() -> BacktestResult:
    """A million records in 10,000 slices, 300 episodes, 40 features each."""
    result = typical(1_000_000, slices=10_000)
    events = ledger(1_000_000, 300, tuple(f"feature_{n}" for n in range(40)))
    return replace(
        result, policies=tuple(replace(p, ledger=events) if p.name == "drift" else p for p in result.policies)
    )


def empty() -> BacktestResult:
    """One policy in which nothing happened."""
    alone = PolicyResult("drift", quality(500, 0.9), 0, 0, 0, 0, (), (), 0.2, 1.0)
    return BacktestResult("calm.csv", 600, 100, 0, 1, "classification", (alone,), "name: calm\n")


HOSTILE = "<script>alert('x')</script>\"&"


TEXTS: tuple[tuple[type[Event], dict[str, object]], ...] = (
    (DriftDetected, {"warnings": (HOSTILE,), "detector": HOSTILE}),
    (CandidateRejected, {"reasons": (HOSTILE,)}),
    (CandidatePromoted, {"reasons": (HOSTILE,)}),
    (TrainingSuppressed, {"reason": HOSTILE}),
    (JobFailed, {"reason": HOSTILE}),
    (PromotionRolledBack, {"reason": HOSTILE}),
    (DataFaultFound, {"column": HOSTILE, "kind": HOSTILE}),
    (TrainingCompleted, {"environment": {HOSTILE: HOSTILE}, "version": HOSTILE}),
)


def soiled(event: Event) -> Event:
    """The event with markup in its free texts."""
    return event.model_copy(update=dict(TEXTS).get(type(event), {}))


def hostile() -> BacktestResult:
    """Markup in every text that comes from data."""
    result = typical()
    events = ledger(20_000, 3, (HOSTILE, "plain"))
    noisy = tuple(soiled(event) for event in events)
    policies = tuple(
        replace(p, name=HOSTILE if p.name == "detector:adwin" else p.name, ledger=noisy if p.name == "drift" else (),
                quality=quality(400, 0.7, classes=(HOSTILE, "b", "c")))
        for p in result.policies
    )  # fmt: skip
    return replace(
        result, policies=policies, data=HOSTILE, settings=HOSTILE, command=HOSTILE,
        truth=((5000, 6000, HOSTILE),), importances={HOSTILE: 0.5},
    )  # fmt: skip


def unlabelled() -> BacktestResult:
    """A run that ended before any label arrived."""
    result = empty()
    return replace(result, policies=(replace(result.policies[0], quality=Quality()),))
