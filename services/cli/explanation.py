"""Why a version came to be: evidence, probes, training, gate and verification, out of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.backtest.report.features import DIRECTIONS
from services.backtest.report.figures import whole
from services.backtest.report.stories import Job, Story
from services.backtest.report.wording import counts_words, rule_words, trial_words, window_words, worth_words
from services.cli.history import History
from services.cli.words import brief, sentence
from shared.domain.quality import metrics
from shared.domain.trials import Paired
from shared.events.deployment import (
    CandidatePromoted,
    EpisodeClosed,
    ModelBrought,
    PromotionRolledBack,
    PromotionVerified,
)
from shared.events.drift_detection import DriftAttributed, DriftDetected, FeatureDrift
from shared.events.training import EvaluationCompleted, ProbeCompleted, TrainingCompleted

CAUSES = {
    "bootstrap": "the stream's first labelled rows: there was no model yet",
    "check": "a routine check: would a fresh model be better by now?",
    "growth": "the labelled rows had grown",
    "schedule": "the schedule of the pipeline file",
    "volume": "the schedule of the pipeline file",
    "request": "a person's request",
}
MOST_FEATURES = 12


@dataclass(frozen=True, slots=True)
class Branch:
    """A sentence, and what it rests on."""

    words: str
    branches: tuple[Branch, ...] = ()


def explained(past: History, prefix: str) -> Branch:
    """The tree of one version. UserError if no version, or more than one, begins so."""
    brought = [e for e in past.events if isinstance(e, ModelBrought) and e.version.startswith(prefix)]
    if len(brought) == 1:
        return _plain(Branch(f"version {brought[0].version}", (Branch(sentence(brought[0])),)))
    version = past.trained(prefix)
    story, job = past.story(version)
    branches = (_cause(story, job), *_probes(story), _training(version, job), *_gate(job), *_after(story, version))
    return _plain(Branch(f"version {version.version}", branches))


def _cause(story: Story, job: Job) -> Branch:
    detected = next((event for event in story.events if isinstance(event, DriftDetected)), None)
    if detected is None:
        trigger = job.requested.trigger
        return Branch(f"cause: {CAUSES.get(trigger, trigger)} (row {whole(job.requested.row)})")
    return Branch(f"cause: {sentence(detected)}", tuple(_evidence(detected, story.attribution or detected)))


def _evidence(event: DriftDetected, moved: DriftDetected | DriftAttributed) -> Iterator[Branch]:
    reached = f": evidence 10^{event.evidence:.1f} where 10^{event.threshold:.1f} alarms"
    told = "" if event.origin == "detector" else reached
    yield Branch(f"seen at row {whole(event.row)} by detector {event.detector}{told}")
    ranked = sorted(moved.features, key=lambda feature: (-feature.log_evidence, feature.name))
    for feature in ranked[:MOST_FEATURES]:
        yield Branch(_feature(feature))
    for warning in moved.warnings:
        yield Branch(f"warning: {warning}")


def _feature(feature: FeatureDrift) -> str:
    sign, direction = DIRECTIONS.get(feature.direction, ("", feature.direction))
    effects = f"total variation {feature.total_variation:.2f}, PSI {feature.psi:.2f}, KS {feature.ks:.2f}"
    return f"{sign} {feature.name}: {direction}; {effects}, evidence 10^{feature.log_evidence:.1f}"


def _probes(story: Story) -> Iterator[Branch]:
    for probe in story.probes:
        yield Branch(f"probes: {probe.fits} throw-away models, wins to losses", tuple(_probe(probe)))


def _probe(probe: ProbeCompleted) -> Iterator[Branch]:
    for window, trial in sorted(probe.against_champion.items()):
        yield Branch(f"learning from {window_words(window)} against the champion: {counts_words(trial)}")
    if probe.present_against_past:
        yield Branch(f"present only against past and present: {counts_words(probe.present_against_past)}")


def _training(version: TrainingCompleted, job: Job) -> Branch:
    asked = job.requested
    rows = f"labelled rows {whole(asked.data.first_label)} to {whole(asked.data.last_label)}"
    weights = f"a row counts half after {whole(asked.half_life)} rows" if asked.half_life else "all rows count alike"
    told = [
        f"{whole(version.rows)} rows: {window_words(version.window)}, {rows}; {weights}",
        *(f"rows {whole(first)} to {whole(last)} left out: a data fault" for first, last in asked.data.excluded),
        f"stage {asked.stage}, seed {asked.seed}, pipeline file {brief(asked.file)}",
        f"parameters {version.parameters or 'as the estimator has them'}",
        f"made with {', '.join(f'{name} {number}' for name, number in sorted(version.environment.items()))}",
        f"model {brief(version.model)}, data manifest {brief(version.manifest)}",
    ]
    head = f"trained at row {whole(asked.row)} in {version.measured_seconds:.2g} s"
    return Branch(head, tuple(Branch(line) for line in told))


def _gate(job: Job) -> Iterator[Branch]:
    held_out = job.completed.holdout if job.completed else {}
    for rival, quality in sorted(held_out.items()):
        figures = ", ".join(f"{name} {value:.3g}" for name, value in metrics(quality).items() if "_" not in name)
        yield Branch(f"hold-out, {rival}: {figures}")
    verdict = job.verdict
    if verdict is None:
        yield Branch("gate: has not decided yet")
        return
    head = f"promoted ({rule_words(verdict.rule)})" if isinstance(verdict, CandidatePromoted) else "refused"
    reasons = tuple(Branch(reason) for reason in verdict.reasons)
    yield Branch(f"gate: {head} at row {whole(verdict.row)}{trial_words(verdict.trial)}", reasons)


def _after(story: Story, version: TrainingCompleted) -> Iterator[Branch]:
    """What later labels said: the comparisons added up, the verdict, the episode's end."""
    counts = sum((pair for pair in _comparisons(story.evaluations, version.version)), Paired())
    if counts.n:
        yield Branch(f"compared with the other version on later labels: {counts_words(counts)}")
    for event in story.events:
        verified = isinstance(event, PromotionVerified) and event.version == version.version
        undone = isinstance(event, PromotionRolledBack) and event.version == version.version
        if verified or undone:
            yield Branch(f"{'verified' if verified else 'undone'}: {sentence(event)}")
        if isinstance(event, EpisodeClosed):
            yield Branch(f"outcome at row {whole(event.row)}: {event.outcome}{worth_words(event)}")


def _comparisons(events: Iterable[EvaluationCompleted], version: str) -> Iterator[Paired]:
    """The version's trials, from its own side."""
    for event in events:
        if event.champion == version:
            yield from (pairs["all"].swapped() for pairs in event.pairs.values() if "all" in pairs)
        elif version in event.pairs:
            yield event.pairs[version].get("all", Paired())


def _plain(branch: Branch) -> Branch:
    return Branch(branch.words.replace("\u00a0", " "), tuple(_plain(inner) for inner in branch.branches))
