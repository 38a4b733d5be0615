"""`driftloop demo`, and the commands that look into what it leaves behind."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.events.base import CATALOGUE
from tests.unit.cli.calls import Called, call

ROWS = 6000
"""Enough for a drift that is answered."""


@dataclass(frozen=True, slots=True)
class Shown:
    folder: Path
    told: Called


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("demo")
    return Shown(folder, call("demo", "--rows", ROWS, "--out", folder))


def promoted(folder: Path) -> list[str]:
    lines = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    return [line["data"]["version"] for line in lines if line["type"] == "driftloop.deployment.promoted.v1"]


def test_it_tells_events_as_they_happen_with_their_rows(demo: Shown) -> None:
    assert demo.told.code == 0
    assert re.search(r"^row  1,000: \w{8} is the first model in service", demo.told.out, re.MULTILINE)
    assert "drift detected" in demo.told.out


def test_it_ends_with_what_really_happened_beside_what_was_done(demo: Shown) -> None:
    story = demo.told.out.partition("What happened")[2]
    assert story.count("»") == 6
    assert " promoted (on trial)" in story
    assert f"Report: {demo.folder / 'report.html'}" in story


def test_it_leaves_everything_that_looking_closer_needs(demo: Shown) -> None:
    names = {path.name for path in demo.folder.iterdir()}
    assert names == {"report.html", "ledger.jsonl", "summary.json", "pipeline.yaml", "blobs", "cards"}
    assert "caps from another supplier" in (demo.folder / "report.html").read_text()


def test_the_timeline_has_a_line_per_decision_in_order_of_rows(demo: Shown) -> None:
    told = call("timeline", demo.folder)
    rows = [int(line[4:10].replace(",", "")) for line in told.out.splitlines()]
    assert len(rows) > 3
    assert rows[0] == 1000
    assert len(call("timeline", demo.folder, "--all").out.splitlines()) > len(rows)


def test_the_beginning_of_a_version_is_enough_to_explain_it(demo: Shown) -> None:
    version = promoted(demo.folder)[-1]
    told = call("explain", version[:6], demo.folder)
    assert told.out.splitlines()[0] == f"version {version}"
    for part in ("cause: ", "trained at row", "labelled rows", "gate: promoted", "seed 0"):
        assert part in told.out


def test_the_first_version_is_explained_by_the_lack_of_one(demo: Shown) -> None:
    told = call("explain", promoted(demo.folder)[0], demo.folder)
    assert "there was no model yet" in told.out
    assert "hold-out, model: accuracy" in told.out


def test_an_unknown_version_is_answered_with_the_known_ones(demo: Shown) -> None:
    told = call("explain", "zz", demo.folder)
    assert told.code == 2
    assert promoted(demo.folder)[0][:8] in told.err


def test_every_promoted_version_has_a_card(demo: Shown) -> None:
    assert {path.stem for path in (demo.folder / "cards").iterdir()} == set(promoted(demo.folder))
    version = promoted(demo.folder)[-1]
    card = (demo.folder / "cards" / f"{version}.md").read_text()
    assert card.startswith("---\nlibrary_name: sklearn\n")
    assert call("explain", version[:8], demo.folder, "--card").out == card


def test_the_report_shows_what_the_last_champion_leans_on(demo: Shown) -> None:
    assert "What the last champion leans on" in (demo.folder / "report.html").read_text()


def test_a_last_line_that_was_cut_off_is_left_out_and_said_to_be(demo: Shown, tmp_path: Path) -> None:
    whole = (demo.folder / "ledger.jsonl").read_bytes()
    kept = whole.splitlines()[:-1]
    (tmp_path / "ledger.jsonl").write_bytes(whole[:-30])
    told = call("timeline", tmp_path, "--all")
    assert told.code == call("status", tmp_path).code == 0
    assert len(told.out.splitlines()) == len(kept)
    assert "the last line is cut off" in told.err
    (tmp_path / "ledger.jsonl").write_bytes(b"\n".join([*kept[:-1], kept[-1][:-30], b"{}"]))
    assert "is not JSON" in call("timeline", tmp_path).err


def test_every_version_is_reproduced_to_the_bit(demo: Shown) -> None:
    for version in promoted(demo.folder):
        told = call("reproduce", version, demo.folder)
        assert told.code == 0
        assert [line.partition(":")[0] for line in told.out.splitlines()] == ["equal"] * 3


def test_a_changed_seed_is_told_as_a_difference(demo: Shown, tmp_path: Path) -> None:
    shutil.copytree(demo.folder, tmp_path / "copy")
    ledger = tmp_path / "copy" / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace('"seed":0', '"seed":1'))
    told = call("reproduce", promoted(demo.folder)[0], tmp_path / "copy")
    assert told.code == 1
    assert "DIFFERS: model" in told.out


def test_a_damaged_blob_is_found_by_reproduce_and_by_the_doctor(demo: Shown, tmp_path: Path) -> None:
    shutil.copytree(demo.folder, tmp_path / "copy")
    lines = [json.loads(line)["data"] for line in (demo.folder / "ledger.jsonl").read_text().splitlines()]
    manifest = next(line["manifest"] for line in lines if "manifest" in line)
    (tmp_path / "copy" / "blobs" / manifest[:2] / manifest).write_bytes(b"torn")
    assert "no longer has its digest" in call("reproduce", promoted(demo.folder)[0], tmp_path / "copy").err
    assert "no longer has its digest" in call("doctor", tmp_path / "copy").out


def test_the_status_names_the_champion_and_the_quality(demo: Shown) -> None:
    told = call("status", demo.folder)
    assert told.code == 0
    champion = next(line for line in told.out.splitlines() if line.startswith("champion"))
    assert any(version in champion for version in promoted(demo.folder))
    assert re.search(r"quality +accuracy 0\.\d+, kappa", told.out)


def test_every_fact_and_decision_has_words() -> None:
    from services.cli.words import WORDS

    spoken = {kind.type for kind in WORDS}
    facts = {
        name
        for name, kind in CATALOGUE.items()
        if kind.__module__ in ("shared.events.deployment", "shared.events.drift_detection", "shared.events.training")
    }
    assert facts - spoken == {"driftloop.serving.changed.v1"}
