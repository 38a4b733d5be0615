"""A model card tells what the ledger knows about a version, and nothing that it does not know."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import yaml

from services.deployment.card import UnknownVersionError, model_card
from services.deployment.card_sections import TRIGGERS
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import Pipeline, PromotionPolicy
from shared.domain.quality import classification_quality
from shared.domain.trials import Paired
from shared.events.base import Event
from shared.events.deployment import CandidatePromoted, CandidateRejected, PromotionRolledBack, PromotionVerified
from shared.events.drift_detection import DriftDetected, FeatureDrift
from shared.events.prediction import PerformanceCounted
from shared.events.training import DataRange, EvaluationCompleted, TrainingCompleted, TrainingRequested, Trigger

PIPELINE = Pipeline(
    name="crates",
    contract=Contract(
        features=(Feature(name="torque", kind=Kind.NUMBER), Feature(name="shift|line", kind=Kind.CATEGORY)),
        label=Label(name="sound"),
    ),
)
OLD, NEW = "version-old", "version-new"
P = {"pipeline": "crates"}
HALF_RIGHT = classification_quality(["yes", "no"] * 10, ["yes"] * 20)
ALL_RIGHT = classification_quality(["yes", "no"] * 5, ["yes", "no"] * 5)


def requested(**changes: Any) -> TrainingRequested:
    data = DataRange(first_label=1975, last_label=2225, lanes=(), excluded=((2900, 3100),))
    told: dict[str, Any] = {
        "job": "job-2", "cause": "episode-1", "trigger": "drift", "stage": 0, "window": "present-only", "data": data,
        "since_label": 1975, "half_life": 2000, "seed": 11, "file": "file-digest", "row": 2225, "label": 2225,
    }  # fmt: skip
    return TrainingRequested.model_validate(P | told | changes)


def completed(**changes: Any) -> TrainingCompleted:
    told: dict[str, Any] = {
        "job": "job-2", "token": 16, "cause": "episode-1", "trigger": "drift", "stage": 0, "window": "present-only",
        "version": NEW, "model": "model-digest", "baseline": "baseline-digest", "manifest": "manifest-digest",
        "rows": 250, "last_label": 2225, "parameters": {"n_estimators": 60}, "environment": {"numpy": "2.4.6"},
        "importances": {"torque": 0.25, "shift|line": -0.005},
    }  # fmt: skip
    return TrainingCompleted.model_validate(P | told | changes)


def detected() -> DriftDetected:
    moved = FeatureDrift(
        name="torque", log_evidence=6.83, direction="up", psi=0.785, ks=0.4, js=0.4, wasserstein=1, total_variation=0.4
    )
    return DriftDetected(
        pipeline="crates", episode="episode-1", origin="performance", detector="losses", generation=1, row=2550,
        label=2050, since_row=1975, since_label=1975, evidence=4.66, threshold=4.0, loss_before=0.14, loss_after=0.36,
        features=(moved,),
    )  # fmt: skip


def evaluated(job: str, wins: int, losses: int) -> EvaluationCompleted:
    pair = Paired(100, wins, losses, wins * 1_000_000, losses * 1_000_000)
    return EvaluationCompleted(
        pipeline="crates", job=job, token=20, cause="episode-1", champion=NEW, first_label=0, last_label=100,
        pairs={OLD: {"all": pair, "shift=early": Paired(3, 1, 1, 0, 0)}},
    )  # fmt: skip


def counted(first: int, versions: dict[str, Any]) -> PerformanceCounted:
    positions = {"lane": 0, "first": first, "last": first + 20, "row": 0, "joined_row": 0}
    offsets = {"rows_from": 0, "rows_offset": 0, "labels_offset": 0}
    return PerformanceCounted.model_validate(
        P | positions | offsets | {"file": "f", "generation": 1, "versions": versions}
    )


PROMOTED = CandidatePromoted(
    pipeline="crates", job="job-2", cause="episode-1", version=NEW, expected_version=OLD, rule="provisional",
    reasons=("serves for now",), generation=2, row=2725, label=2225,
)  # fmt: skip
VERIFIED = PromotionVerified(
    pipeline="crates", version=NEW, over=OLD, cause="episode-1", trial=Paired(), row=3725, label=3225
)
LEDGER: tuple[Event, ...] = (detected(), requested(), completed(), PROMOTED, VERIFIED)


def front_matter(card: str) -> dict[str, Any]:
    _, front, _ = card.split("---\n", 2)
    matter: dict[str, Any] = yaml.safe_load(front)
    return matter


def section(card: str, title: str) -> str:
    return card.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


class TestTheFrontMatter:
    def test_names_library_and_task_and_no_license_that_nobody_told(self) -> None:
        matter = front_matter(model_card(NEW, LEDGER, PIPELINE))
        assert matter["library_name"] == "sklearn"
        assert matter["pipeline_tag"] == "tabular-classification"
        assert "license" not in matter

    def test_claims_no_metric_before_one_is_known(self) -> None:
        assert not {"metrics", "model-index"} & set(front_matter(model_card(NEW, LEDGER, PIPELINE)))

    def test_holds_the_quality_in_service_as_a_result(self) -> None:
        matter = front_matter(model_card(NEW, (*LEDGER, counted(0, {NEW: HALF_RIGHT})), PIPELINE))
        (result,) = matter["model-index"][0]["results"]
        assert {"type": "accuracy", "value": 0.5} in result["metrics"]
        assert "in service" in result["dataset"]["name"]

    def test_falls_back_on_the_hold_out(self) -> None:
        ledger = (completed(trigger="bootstrap", holdout={"model": ALL_RIGHT, "constant": HALF_RIGHT}),)
        (result,) = front_matter(model_card(NEW, ledger, PIPELINE))["model-index"][0]["results"]
        assert {"type": "accuracy", "value": 1.0} in result["metrics"]
        assert "hold-out" in result["dataset"]["name"]


class TestTheText:
    def test_says_why_the_version_was_trained(self) -> None:
        why = section(model_card(NEW, LEDGER, PIPELINE), "Why it was trained")
        for said in ("episode-1", "`losses`", "row 2,550", "10^4.7", "0.140 to 0.360", "| torque | up | 10^6.8 |"):
            assert said in why

    def test_has_words_for_every_trigger(self) -> None:
        assert set(TRIGGERS) == set(get_args(Trigger))

    def test_names_the_rows_by_range_weight_and_manifest(self) -> None:
        data = section(model_card(NEW, LEDGER, PIPELINE), "Training data")
        for said in ("250 labelled rows", "[1,975, 2,225)", "[2,900, 3,100) left out", "2,000 rows", "manifest-digest"):
            assert said in data

    def test_tells_how_to_make_it_again(self) -> None:
        told = section(model_card(NEW, LEDGER, PIPELINE), "Fit")
        for said in ("| n_estimators | `60` |", "Seed 11", "file-digest", "numpy 2.4.6", f"reproduce {NEW}"):
            assert said in told

    def test_lists_the_verdicts_in_order(self) -> None:
        gate = section(model_card(NEW, LEDGER, PIPELINE), "Gate and trials")
        assert gate.index("Promoted at row 2,725 by rule `provisional`") < gate.index("Verified at row 3,725")

    def test_tells_refusals_and_rollbacks_too(self) -> None:
        rejected = CandidateRejected(
            pipeline="crates", job="job-2", cause="c", version=NEW, reasons=("not better",), row=5, label=5
        )
        returned = PromotionRolledBack(
            pipeline="crates", version=NEW, to=OLD, cause="c", reason="20:1 against it", generation=3, row=9, label=9
        )
        gate = section(model_card(NEW, (completed(), rejected, returned), PIPELINE), "Gate and trials")
        assert "Rejected at row 5: not better." in gate
        assert f"Rolled back to `{OLD}` at row 9: 20:1 against it." in gate

    def test_says_so_where_nothing_is_known_yet(self) -> None:
        card = model_card(NEW, (completed(importances={}),), PIPELINE)
        assert "Nothing has been decided" in section(card, "Gate and trials")
        assert "No labelled row" in section(card, "Quality so far")
        assert "Not measured." in section(card, "Permutation importances")

    def test_ranks_importances_and_keeps_names_inside_their_cells(self) -> None:
        told = section(model_card(NEW, LEDGER, PIPELINE), "Permutation importances")
        assert told.index("| torque | +0.2500 |") < told.index("| shift&#124;line | -0.0050 |")

    def test_names_the_groups_that_were_compared(self) -> None:
        sliced = PIPELINE.model_copy(update={"promotion": PromotionPolicy(slices=("shift|line",))})
        assert "within the values of shift|line" in section(model_card(NEW, LEDGER, sliced), "Limits")
        assert "names no slice" in section(model_card(NEW, LEDGER, PIPELINE), "Limits")


class TestCounts:
    def test_evaluations_of_one_pair_add_up(self) -> None:
        ledger = (*LEDGER, evaluated("job-3", 4, 28), evaluated("job-4", 5, 38))
        gate = section(model_card(NEW, ledger, PIPELINE), "Gate and trials")
        assert f"| `{OLD}` | `{NEW}` | 200 | 9 | 66 | 0.045 | 0.330 |" in gate

    def test_quality_in_service_counts_this_version_only(self) -> None:
        ledger = (*LEDGER, counted(0, {OLD: ALL_RIGHT, NEW: HALF_RIGHT}), counted(20, {NEW: ALL_RIGHT}))
        assert "| in service | 30 | 0.667 |" in section(model_card(NEW, ledger, PIPELINE), "Quality so far")

    def test_a_repeated_event_counts_once(self) -> None:
        ledger = (*LEDGER, evaluated("job-3", 4, 28), counted(0, {NEW: HALF_RIGHT}))
        assert model_card(NEW, (*ledger, *ledger), PIPELINE) == model_card(NEW, ledger, PIPELINE)


def test_an_unknown_version_is_an_error_with_its_cure() -> None:
    with pytest.raises(UnknownVersionError, match="name a version in full, as the timeline shows it"):
        model_card("version-n", LEDGER, PIPELINE)
