"""The sections of a model card: each yields lines of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from services.deployment.card_record import Record, Verdict
from shared.domain.pipeline import Pipeline
from shared.domain.quality import MILLION, metrics
from shared.domain.trials import Paired
from shared.events.deployment import CandidatePromoted, CandidateRejected, PromotionVerified
from shared.events.drift_detection import DriftDetected, FeatureDrift

TRIGGERS = {
    "bootstrap": "It is the pipeline's first model: enough labelled rows had come.",
    "drift": "Predictions had become worse.",
    "inputs": "The inputs had drifted, and a fresh model was tried.",
    "check": "A routine check found that a fresh model would be better.",
    "growth": "The labelled rows had grown enough for a better model.",
    "schedule": "The schedule of the pipeline file asked for it.",
    "volume": "The schedule of the pipeline file asked for it.",
    "request": "A person asked for it.",
}
MOST_FEATURES = 20


def title(record: Record, pipeline: Pipeline) -> Iterator[str]:
    label = pipeline.contract.label
    what = "class" if label.task == "classification" else "value"
    yield f"# {pipeline.name}, version {record.made.version}"
    yield ""
    yield f"`{pipeline.estimator.path}`, trained by Driftloop to predict the {what} of `{label.name}`"
    yield f"from {len(pipeline.contract.features)} features: {_names(f.name for f in pipeline.contract.features)}."
    yield ""
    yield f"The model is a skops file with the SHA-256 digest `{record.made.model}`."


def why(record: Record, _: Pipeline) -> Iterator[str]:
    yield "## Why it was trained"
    yield ""
    yield TRIGGERS[record.made.trigger]
    drift = record.drift
    if drift is None:
        return
    yield ""
    yield f"Episode `{drift.episode}`: detector `{drift.detector}` alarmed at row {drift.row:,}{_reached(drift)}."
    yield f"The change is estimated to have begun at row {drift.since_row:,}."
    if drift.loss_before is not None and drift.loss_after is not None:
        yield f"The mean loss had risen from {drift.loss_before:.3f} to {drift.loss_after:.3f}."
    yield from (f"Warning: {warning}." for warning in drift.warnings)
    if drift.features:
        yield ""
        yield from _drifted(drift.features)


def _reached(drift: DriftDetected) -> str:
    """A plug-in detector says yes or no: it has no evidence to tell of."""
    if drift.origin == "detector":
        return ""
    return f", with evidence\n10^{drift.evidence:.1f} where 10^{drift.threshold:.1f} alarms"


def _drifted(features: Iterable[FeatureDrift]) -> Iterator[str]:
    head = ("Drifted feature", "Direction", "Evidence", "PSI", "Total variation")
    rows = (
        (f.name, f.direction, f"10^{f.log_evidence:.1f}", _shown(f.psi), _shown(f.total_variation)) for f in features
    )
    yield from _table(head, rows)


def data(record: Record, _: Pipeline) -> Iterator[str]:
    made, asked = record.made, record.asked
    yield "## Training data"
    yield ""
    yield f"- {made.rows:,} labelled rows, window `{made.window}`"
    if asked is not None:
        yield f"- labelled rows [{asked.data.first_label:,}, {asked.data.last_label:,}) of the stream"
        yield f"- {_weights(asked.half_life)}"
        for first, last in asked.data.excluded:
            yield f"- received rows [{first:,}, {last:,}) left out: a data fault"
    yield f"- manifest `{made.manifest}`"
    yield f"- baseline for drift `{made.baseline}`"


def _weights(half_life: int | None) -> str:
    return "all rows weigh alike" if half_life is None else f"a row's weight halves every {half_life:,} rows of age"


def fit(record: Record, pipeline: Pipeline) -> Iterator[str]:
    made, asked = record.made, record.asked
    yield "## Fit"
    yield ""
    yield from _table(("Parameter", "Value"), ((name, f"`{value}`") for name, value in sorted(made.parameters.items())))
    if asked is not None:
        yield f"Seed {asked.seed}; pipeline file `{asked.file}`."
    yield f"Made with {_names(f'{name} {number}' for name, number in sorted(made.environment.items()))}."
    yield f"`driftloop reproduce {made.version}` in pipeline `{pipeline.name}` trains it again and compares."


def gate(record: Record, _: Pipeline) -> Iterator[str]:
    yield "## Gate and trials"
    yield ""
    if not record.verdicts:
        yield "Nothing has been decided about this version yet."
    for verdict in record.verdicts:
        yield f"- {_said(verdict)}"
    if record.trials:
        yield ""
        yield "Scored on the same labelled rows, all after the training cut of both. A win is a row on which only the"
        yield "challenger was right (regression: closer)."
        yield ""
        head = ("Challenger", "Champion", "Rows", "Wins", "Losses", "Challenger's loss", "Champion's loss")
        yield from _table(head, (_trial(*trial) for trial in record.trials))


def _said(verdict: Verdict) -> str:
    if isinstance(verdict, CandidatePromoted):
        return f"Promoted at row {verdict.row:,} by rule `{verdict.rule}`: {'; '.join(verdict.reasons)}."
    if isinstance(verdict, CandidateRejected):
        return f"Rejected at row {verdict.row:,}: {'; '.join(verdict.reasons)}."
    if isinstance(verdict, PromotionVerified):
        return f"Verified at row {verdict.row:,} against `{verdict.over}`."
    return f"Rolled back to `{verdict.to}` at row {verdict.row:,}: {verdict.reason}."


def _trial(challenger: str, champion: str, pair: Paired) -> tuple[str, ...]:
    losses = (pair.challenger_loss, pair.champion_loss)
    means = (_shown(loss / MILLION / pair.n) if pair.n else "" for loss in losses)
    return (f"`{challenger}`", f"`{champion}`", f"{pair.n:,}", str(pair.wins), str(pair.losses), *means)


def quality(record: Record, _: Pipeline) -> Iterator[str]:
    yield "## Quality so far"
    yield ""
    measured = {"in service": record.served} if record.served.n else {}
    measured |= {f"hold-out, {name}": quality for name, quality in record.made.holdout.items()}
    if not measured:
        yield "No labelled row has been predicted by this version alone; see the trials above."
        return
    names = list(dict.fromkeys(name for quality in measured.values() for name in metrics(quality)))
    rows = ((where, f"{q.n:,}", *(_shown(metrics(q)[name]) for name in names)) for where, q in measured.items())
    yield from _table(("Where", "Rows", *names), rows)


def importances(record: Record, _: Pipeline) -> Iterator[str]:
    yield "## Permutation importances"
    yield ""
    ranked = sorted(record.made.importances.items(), key=lambda item: (-item[1], item[0]))
    if not ranked:
        yield "Not measured."
        return
    yield "Rise of the mean loss when one feature is shuffled among the newest training rows."
    yield ""
    yield from _table(("Feature", "Rise"), ((name, f"{rise:+.4f}") for name, rise in ranked[:MOST_FEATURES]))
    if len(ranked) > MOST_FEATURES:
        yield f"{len(ranked) - MOST_FEATURES} features below these are left out."


def limits(_: Record, pipeline: Pipeline) -> Iterator[str]:
    slices = pipeline.promotion.slices
    yield "## Limits"
    yield ""
    yield "- It knows its training rows and nothing else; Driftloop replaces it when the stream has moved on."
    yield "- Values outside the pipeline's contract were refused before training: it has never seen any."
    yield "- Importances say what the model uses, not what causes the label; features that say the same share theirs."
    if slices:
        yield f"- Its quality was compared within the values of {_names(slices)}, and within no other group."
    else:
        yield "- Its quality was compared over all rows only: the pipeline file names no slice."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    # A name may hold the sign that ends a cell.
    body = [f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows]
    if body:
        yield from (f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *body, "")


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)


def _shown(value: float) -> str:
    return f"{value:.3f}"


SECTIONS = (title, why, data, fit, gate, quality, importances, limits)
