"""The pipeline file: what people get wrong in it, and what they are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.domain.digest import digest
from shared.domain.pipeline_file import (
    PipelineFileError,
    canonical_bytes,
    decode_pipeline,
    parse_pipeline,
    pipeline_digest,
    read_pipeline,
)

GOOD = """\
name: shop
contract:
  features:
    - {name: price, kind: number, minimum: 0}
    - name: region
      kind: category
      allowed: [north, south]
  label: {name: sold}
"""


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(PipelineFileError) as told:
        parse_pipeline(text)
    assert all("\n" not in problem for problem in told.value.problems)
    return told.value.problems


def test_a_file_and_its_canonical_bytes_are_the_same_pipeline() -> None:
    pipeline = parse_pipeline(GOOD)
    assert decode_pipeline(canonical_bytes(pipeline)) == pipeline
    assert pipeline_digest(pipeline) == digest(canonical_bytes(pipeline))


def test_order_and_comments_make_no_version() -> None:
    head, rest = GOOD.split("\n", 1)
    assert pipeline_digest(parse_pipeline(rest + head + "  # the shop\n")) == pipeline_digest(parse_pipeline(GOOD))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD + "epoch: 5\n", "line 9: epoch: is no known key; the nearest is 'drift.inputs.epoch'"),
        (GOOD + "drift: {input: {}}\n", "line 9: drift.input: is no known key; the nearest is 'drift.inputs'"),
        (
            GOOD.replace("minimum", "minimun"),
            "line 4: contract.features[0].minimun: is no known key; the nearest is 'contract.features[].minimum'",
        ),
        (GOOD + "window: ten\n", "line 9: window: should be a valid integer, unable to parse string as an integer; "
         "it is 'ten'"),
        (GOOD + "drift: 5\n", "line 9: drift: should be a mapping; it is 5"),
        (GOOD + "lanes: 1\nlanes: 2\n", "line 10: lanes: is given twice; keep one"),
        (GOOD + "drift: {inputs: {minimum_effect: .nan}}\n",
         "line 9: drift.inputs.minimum_effect: has to be a finite number; leave the key out instead"),
        (GOOD.replace("north", "0"), "line 7: contract.features[1].allowed[0]: has to be text; "
         "YAML reads it as a number or a yes/no, so put it in quotes"),
        (GOOD.replace("  label: {name: sold}\n", ""), "line 2: contract.label: is missing"),
        (GOOD.replace("sold", "price"), "line 2: contract: the label 'price' is also a feature: "
         "a model would read its own answer"),
        (GOOD.replace("number", "numbr"), "line 4: contract.features[0].kind: should be 'number', 'integer', "
         "'category', 'boolean' or 'timestamp'; it is 'numbr'"),
        (GOOD + "seed: 99999999999999999999\n", "line 9: seed: should be less than or equal to 4294967295; "
         "it is 99999999999999999999"),
        (GOOD + "retraining: {stages: []}\n", "line 9: retraining.stages: is empty: name one stage at least, "
         "or set 'on_drift: false'"),
        *((GOOD + f"retraining: {{stages: {given}}}\n", "line 9: retraining.stages: has to be rising numbers "
           "from 0 on: windows after the change, the nearest first") for given in ("[-0.2]", "[0.5, 0.5]", "[1, 0.2]")),
        (GOOD + "promotion: {slices: [region, nope]}\n", "line 9: promotion: slices names 'nope', which is no "
         "feature; there are price, region"),
        (GOOD + "drift:\n  <<: {inputs: {epoch: 50}}\n",
         "line 10: drift.<<: merge keys are not read; write the keys out where they belong"),
        *((GOOD + f"{key}: 99999999999999999999999\n", f"line 9: {key}: should be less than or equal to {most}; "
           "it is 99999999999999999999999") for key, most in (("window", 10_000_000), ("label_wait", 1_000_000_000))),
        (GOOD + "retraining: {every: 1000000001}\n", "line 9: retraining.every: should be less than or equal to "
         "1000000000; it is 1000000001"),
        (GOOD + "retraining: {memory: 1.0e+300}\n", "line 9: retraining.memory: should be less than or equal to "
         "1000000; it is 1e+300"),
        (GOOD.replace("[north, south]", "[]"), "line 5: contract.features[1]: feature 'region': 'allowed' is empty, "
         "so no value would do; list some, or leave it out"),
        *((GOOD.replace("sold", name), f"line 2: contract: label '{name}': names that begin with '_' are Driftloop's "
           "own; rename the column") for name in ("_id", "_position", "_label", "_offset")),
        *((GOOD + f"  {role}: _id\n", f"line 2: contract: {role} '_id': names that begin with '_' are Driftloop's "
           "own; rename the column") for role in ("record_id", "event_time")),
        *((GOOD + f"  {role}: sold\n", f"line 2: contract: label and {role} are both 'sold'; a column has one of "
           "these roles at most") for role in ("record_id", "event_time")),
        (GOOD + "  record_id: at\n  event_time: at\n", "line 2: contract: record_id and event_time are both 'at'; "
         "a column has one of these roles at most"),
        ("name: shop\ncontract: {features: [{name: at, kind: timestamp}], label: {name: sold}}\n",
         "line 2: contract: all features are timestamps, and no model reads the clock; add one of another kind"),
        ("a: &a [*a]", "line 1: aliases ('*name') are not read; write the value out"),
        ("", "is empty; it needs at least 'name' and 'contract'"),
        ("- shop", "has to be a mapping that begins with 'name: …'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_cure(text: str, told: str) -> None:
    assert problems(text) == (told,)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("name: shop\n\tlanes: 1\n", "line 2, column 1: is not YAML: "),
        ("name: [", "line 1, column 8: is not YAML: "),
        ("name: !!python/object:os.system {}\n", "line 1, column 7: is not YAML: "),
        ("name: \x00", "is not YAML: "),
        ("[" * 800 + "]" * 800, "is not YAML: "),
    ],
)
def test_sick_yaml_is_told_with_its_place(text: str, start: str) -> None:
    (told,) = problems(text)
    assert told.startswith(start)


def test_stages_from_the_change_itself_on_and_slices_of_the_contract_are_taken() -> None:
    pipeline = parse_pipeline(GOOD + "retraining: {stages: [0, 0.5]}\npromotion: {slices: [region]}\n")
    assert pipeline.retraining.stages == (0.0, 0.5)
    assert pipeline.promotion.slices == ("region",)


def test_all_problems_come_at_once() -> None:
    assert len(problems(GOOD.replace("name: shop\n", "") + "lanes: 0\nspeed: 1\n")) == 3


def test_a_file_that_cant_be_read_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    with pytest.raises(PipelineFileError, match=r"shop\.yaml: can't be opened"):
        read_pipeline(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PipelineFileError, match=r"is not UTF-8 text \(byte 0\)"):
        read_pipeline(path)
    path.write_text(GOOD)
    assert read_pipeline(path).name == "shop"
