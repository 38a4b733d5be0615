"""Each episode's story: evidence, candidates, gate, outcome."""

from __future__ import annotations

from services.backtest.report.features import feature_table
from services.backtest.report.figures import counted, percent, seconds, sentence, whole
from services.backtest.report.html import Child, Markup, element
from services.backtest.report.lanes import ending_words
from services.backtest.report.stories import Chronicle, Episode, Job, Story
from services.backtest.report.wording import (
    aftermath_words,
    counts_words,
    gain_words,
    rule_words,
    short,
    trial_words,
    window_words,
    worth_words,
)
from shared.domain.trials import Paired
from shared.events.deployment import ApprovalAwaited, CandidatePromoted, TrialPended
from shared.events.drift_detection import DriftDetected
from shared.events.training import EvaluationCompleted, ProbeCompleted, TrainingSuppressed

MOST_EPISODES, MOST_LINES = 200, 40
UNCHANGED = ("harmless", "refused", "failed")
"""Outcomes after which the old model still serves."""
GLOSSARY = (
    "Wins and losses count the rows on which only one of two models was right. Odds say how strongly these counts "
    "speak for the challenger. Gain is what was won back against the old model, in errors (regression: bounded loss) "
    "per 1,000 labelled rows."
)
ORIGINS = {"inputs": "input", "performance": "performance"}


def episode_list(told: Chronicle) -> list[Markup]:
    """Every episode as a collapsible story, the first that led to a training open; beyond the cap a sentence."""
    shown = told.episodes[:MOST_EPISODES]
    left = len(told.episodes) - len(shown)
    if not shown:
        return [element("p", {"class": "note"}, "No drift was detected, so no episode was opened.")]
    rest = (
        f"{counted(left, 'further episode')} left out here; {'it stands' if left == 1 else 'they stand'} in the ledger."
    )
    first = next((episode for episode in shown if episode.story.jobs), shown[0])
    return [
        element("p", {"class": "note before"}, GLOSSARY),
        *(_episode(e, opened=e is first) for e in shown),
        *([element("p", {"class": "note"}, rest)] if left else []),
    ]


def _episode(episode: Episode, *, opened: bool) -> Markup:
    badge = element("span", {"class": f"badge b-{episode.outcome}"}, ending_words(episode))
    head = element("span", {"class": "which"}, f"Episode {episode.number}")
    where = element("span", {"class": "aside"}, f"row {whole(episode.detected.row)}", _gain_aside(episode))
    summary = element("summary", {}, head, badge, where)
    body = element("div", {"class": "story"}, _evidence(episode), _response(episode.story), _outcome(episode))
    return element("details", {"class": "episode", "open": opened}, summary, body)


def _gain_aside(episode: Episode) -> str:
    closed = episode.closed
    return f" · gain {gain_words(closed.gain)}" if closed and closed.gain and closed.outcome not in UNCHANGED else ""


def _step(name: str, *children: Child) -> Markup:
    return element("section", {"class": "step"}, element("h4", {}, name), element("div", {}, *children))


def _evidence(episode: Episode) -> Markup:
    found = episode.detected
    delay = (
        f"estimated to have begun at row {whole(found.since_row)}, {whole(found.row - found.since_row)} rows earlier"
    )
    words = f"{_alarm(found)}; {delay}."
    warnings = [element("p", {"class": "warning"}, text) for text in episode.warnings]
    return _step(
        "Evidence",
        element("p", {}, words, _losses(found)),
        warnings,
        feature_table(episode.features) if episode.features else None,
    )


def _alarm(found: DriftDetected) -> str:
    """A plug-in detector says yes or no: it has no evidence to tell of."""
    if found.origin == "detector":
        return f"The plug-in detector {found.detector} alarmed at row {whole(found.row)}"
    kind = sentence(ORIGINS.get(found.origin, found.origin))
    reached = f"{kind} evidence reached 10^{found.evidence:.1f}, where 10^{found.threshold:.1f} alarms,"
    return f"{reached} at row {whole(found.row)} (detector {found.detector})"


def _losses(found: DriftDetected) -> str:
    if found.loss_before is None or found.loss_after is None:
        return ""
    return f" Loss {percent(found.loss_before)} before, {percent(found.loss_after)} after."


def _response(story: Story) -> list[Markup]:
    return [_step(name, lines) for name, lines in (("Candidates", _candidates(story)), ("Gate", _gate(story))) if lines]


def _candidates(story: Story) -> Child:
    jobs = [_job(job) for job in story.jobs[:MOST_LINES]]
    held = [_held(event) for event in story.suppressions[:MOST_LINES]]
    lines = _lines([*(_probe(probe) for probe in story.probes[:MOST_LINES]), *jobs, *held])
    return lines if jobs else [element("p", {}, "No candidate was trained."), lines]


def _gate(story: Story) -> Child:
    waits = [_wait(event) for event in story.waits[:MOST_LINES]]
    verdicts = [_verdict(job) for job in story.jobs[:MOST_LINES] if job.verdict]
    return _lines([*waits, *_comparisons(story.evaluations), *verdicts])


def _lines(lines: list[Child]) -> Markup | None:
    return element("ul", {}, [element("li", {}, line) for line in lines]) if lines else None


def _job(job: Job) -> list[Child]:
    asked = job.requested
    name = element("strong", {}, f"Stage {asked.stage}, {window_words(asked.window)}")
    failed = "".join(f" Attempt failed: {failure.reason}." for failure in job.failures)
    if job.completed is None:
        return [name, f": asked for at row {whole(asked.row)}, no result.{failed}"]
    done = job.completed
    work = f": {whole(done.rows)} rows in {seconds(done.measured_seconds)}; "
    return [name, work, "version ", element("code", {}, short(done.version)), f"; {failed}" if failed else ""]


def _probe(probe: ProbeCompleted) -> list[Child]:
    """Throw-away fits: what each window promised against the champion."""
    found = [f"{window_words(w)} {counts_words(trial)}" for w, trial in sorted(probe.against_champion.items())]
    duel = probe.present_against_past
    against = f"; present against past {counts_words(duel)}" if duel else ""
    work = f"{counted(probe.fits, 'probe')} in {seconds(probe.measured_seconds)}"
    return [element("strong", {}, work), f", wins to losses against the champion: {'; '.join(found)}{against}."]


def _verdict(job: Job) -> list[Child]:
    verdict = job.verdict
    if verdict is None:
        return []
    promoted = isinstance(verdict, CandidatePromoted)
    head = f"promoted ({rule_words(verdict.rule)})" if isinstance(verdict, CandidatePromoted) else "refused"
    mark = element("strong", {"class": "yes" if promoted else "no"}, ("✓ " if promoted else "✕ ") + head)
    which = f"stage {job.requested.stage}, {window_words(job.requested.window)}: "
    return [
        sentence(which),
        mark,
        f" at row {whole(verdict.row)}",
        trial_words(verdict.trial),
        _reasons(verdict.reasons),
    ]


def _reasons(reasons: tuple[str, ...]) -> list[Markup]:
    return [element("ul", {"class": "reasons"}, [element("li", {}, reason) for reason in reasons])] if reasons else []


def _held(event: TrainingSuppressed) -> Child:
    return [element("strong", {}, "Held back"), f" at row {whole(event.row)} (stage {event.stage}): {event.reason}"]


def _wait(event: TrialPended | ApprovalAwaited) -> Child:
    if isinstance(event, TrialPended):
        return f"Too few labels to judge; waits for labelled row {whole(event.until_label)}."
    return f"Waits for a person’s approval: {'; '.join(event.reasons) or 'the gate passed'}."


def _comparisons(evaluations: tuple[EvaluationCompleted, ...]) -> list[Child]:
    """Two versions are compared again and again as labels come in: one line per pair, with all counts added."""
    pairs: dict[tuple[str, str], list[EvaluationCompleted]] = {}
    for event in evaluations:
        for challenger in event.pairs:
            pairs.setdefault((challenger, event.champion), []).append(event)
    return [_comparison(*pair, found) for pair, found in list(pairs.items())[:MOST_LINES]]


def _comparison(challenger: str, champion: str, found: list[EvaluationCompleted]) -> Child:
    counts = Paired()
    for event in found:
        counts += event.pairs[challenger].get("all", Paired())
    rows = f"labelled rows {whole(found[0].first_label)} to {whole(found[-1].last_label)}"
    names = [element("code", {}, short(challenger)), " against ", element("code", {}, short(champion))]
    return [f"Compared on {rows}: ", names, f", {counts_words(counts)}."]


def _outcome(episode: Episode) -> Markup:
    after = [element("p", {}, aftermath_words(event)) for event in episode.story.aftermath]
    if episode.closed is None:
        return _step("Outcome", after, element("p", {}, "Still open when the stream ended."))
    words = f"{_ending(episode)} at row {whole(episode.closed.row)}{worth_words(episode.closed)}."
    return _step("Outcome", after, element("p", {}, words))


def _ending(episode: Episode) -> str:
    """How it ended, and what that means where one word does not say it."""
    if episode.heir is not None:
        return f"The loss drifted too, so episode {episode.heir} answers for both: set aside"
    if episode.cleared:
        return f"{sentence(episode.cleared.reason)}: set aside"
    told = sentence(ending_words(episode))
    meaning = ": the inputs moved, with no clear sign that the model suffers. Closed"
    return told + meaning * (episode.outcome == "harmless")
