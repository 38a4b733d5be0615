"""`driftloop doctor --running`: what is wrong with the running system, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.cli import checkup, running
from services.cli.checkup import examine_running, lags, retention
from services.cli.errors import UserError
from services.cli.examination import Finding
from shared.adapters.memory import MemoryGroups, MemoryLog
from shared.events.deployment import CandidatePromoted, EpisodeClosed
from shared.events.envelope import to_append
from shared.events.topics import DAY, LEDGER, PROFILES, RECORDS_INGESTED, SERVING, TOPICS
from shared.runtime.core import Message
from shared.runtime.hosts import append_to
from shared.runtime.ports import Indefinite
from tests.unit.cli.calls import call
from tests.unit.cli.system import House, house, opened

NOW = 1_700_000_000_000
PROMOTED = CandidatePromoted(
    pipeline="shop", job="j", cause="c", version="v", expected_version=None, rule="bootstrap", reasons=(),
    generation=1, row=1, label=1,
)  # fmt: skip


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """All is well: doors, topics, Redis, blobs; and nothing was read by any group yet."""
    with opened(house(), monkeypatch) as some:
        some.system.apply()

        @contextmanager
        def opened_groups() -> Iterator[MemoryGroups]:
            yield everything_read(some.log)

        monkeypatch.setattr(running, "opened_groups", opened_groups)
        monkeypatch.setattr(running, "topic_differences", list)
        monkeypatch.setattr(running, "redis_down", str)
        yield some


def everything_read(log: MemoryLog) -> MemoryGroups:
    groups = MemoryGroups(log)
    for group, topics in checkup.readers():
        member = groups.join(group, "test", topics)
        groups.commit(member, {(topic, 0): log.end_offset(topic, 0) for topic in topics})
    return groups


def wrong(findings: Sequence[Finding]) -> list[str]:
    return [finding.what for finding in findings if not finding.well]


def test_where_all_is_well_the_code_is_0_and_every_line_says_ok(shop: House) -> None:
    told = call("doctor", "--running")
    assert told.code == 0
    assert all(line.startswith("ok     ") for line in told.out.splitlines())
    for words in (
        "prediction's door at http",
        "Redis answers",
        "training has read everything",
        "profiles stay 365 days",
    ):
        assert words in told.out


def test_settings_are_shown_and_secrets_are_not(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_KAFKA_PASSWORD", "hunter2")
    told = call("doctor", "--running").out
    assert "DRIFTLOOP_KAFKA_PASSWORD=(secret)" in told
    assert "hunter2" not in told


def test_a_setting_that_can_not_be_used_is_one_line(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_KAFKA_PARTITIONS", "many")
    told = call("doctor", "--running")
    assert (told.code, told.err.count("\n")) == (2, 1)
    assert "DRIFTLOOP_KAFKA_PARTITIONS" in told.err


def test_what_is_wrong_is_told_with_its_cure_and_the_others_go_on(
    shop: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DRIFTLOOP_PREDICTION_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("DRIFTLOOP_REDIS_URL", "redis://cache:6379/0")
    monkeypatch.setattr(running, "redis_down", lambda: "Redis did not answer PING")
    monkeypatch.setattr(running, "topic_differences", lambda: ["driftloop.ledger.v1 is missing: create the topics"])
    told = call("doctor", "--running")
    lines = [line for line in told.out.splitlines() if line.startswith("WRONG")]
    assert told.code == 1
    assert len(lines) == 3
    assert "DRIFTLOOP_PREDICTION_URL say where?" in lines[0]
    assert "status reads the ledger itself" in lines[1]
    assert "'driftloop topics create'" in lines[2]


def test_a_broker_that_does_not_answer_is_one_finding(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> list[str]:
        raise Indefinite("connect to localhost:9092: no answer")

    monkeypatch.setattr(running, "topic_differences", refused)
    assert wrong(list(examine_running())) == ["the broker does not answer: connect to localhost:9092: no answer"]


def test_blobs_that_can_not_be_reached_or_lack_something_are_found(
    shop: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> None:
        raise UserError("there is no folder /x")

    with monkeypatch.context() as patch:
        patch.setenv("DRIFTLOOP_BLOBS_FOLDER", "/x")
        patch.setattr(running, "opened_blobs", nowhere)
        assert wrong(list(examine_running())) == ["there is no folder /x"]
    monkeypatch.setattr(running, "opened_blobs", type(shop.blobs))
    [missing] = wrong(list(examine_running()))
    assert missing.startswith("shop: the pipeline file ")


def test_what_is_not_said_to_be_here_is_noted_and_not_wrong(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> None:
        raise UserError("there is no folder /x")

    monkeypatch.setattr(running, "redis_down", lambda: "no answer")
    monkeypatch.setattr(running, "opened_blobs", nowhere)
    for variable in ("DRIFTLOOP_REDIS_URL", "DRIFTLOOP_BLOBS_FOLDER"):
        monkeypatch.delenv(variable, raising=False)
    told = call("doctor", "--running")
    assert told.code == 0
    assert [line for line in told.out.splitlines() if not line.startswith("ok ")] == [
        "note   not looked at from here: Redis (DRIFTLOOP_REDIS_URL is not set)",
        "note   not looked at from here: blobs (DRIFTLOOP_BLOBS_FOLDER is not set)",
    ]


def test_a_message_of_the_ledger_that_is_no_pipelines_is_found_and_the_others_go_on(shop: House) -> None:
    shop.log.append(LEDGER.name, 0, "", b"", {})
    told = call("doctor", "--running")
    assert told.code == 1
    assert [line for line in told.out.splitlines() if line.startswith("WRONG")] == [
        "WRONG  ledger: messages of no pipeline, by their key or their partition: 1 -> services pass such messages "
        "over; find out who else may write to this topic"
    ]
    assert "profiles stay 365 days" in told.out


def test_a_damaged_event_is_told_and_the_other_pipelines_go_on() -> None:
    log = MemoryLog.of(TOPICS, lambda: NOW)
    append_to(log, to_append(LEDGER.name, PROMOTED, Message(LEDGER.name, 0, 0, NOW - 800 * DAY, "shop", b"")))
    log.append(LEDGER.name, 0, "press", b"{}", {"ce_type": PROMOTED.type})
    damaged, old = wrong(list(retention(log)))
    assert damaged.startswith("ledger: ledger/0 at offset 1: the event is damaged at ")
    assert old.startswith("shop: its generation began 800 days ago")


def ingested(log: MemoryLog, messages: int) -> None:
    for _ in range(messages):
        log.append(RECORDS_INGESTED.name, 0, "shop", b"", {})


def test_a_service_that_is_behind_and_stands_still_is_wrong() -> None:
    log = MemoryLog.of(TOPICS, lambda: NOW)
    groups = everything_read(log)
    assert wrong(list(lags(log, groups, 0.0))) == []
    ingested(log, 12)
    assert wrong(list(lags(log, groups, 0.0))) == ["validation is 12 messages behind and stands still"]


def test_a_service_that_is_behind_and_moves_is_well() -> None:
    class Moving(MemoryGroups):
        """Reads on between two looks."""

        looked = 0

        def committed(self, group: str, topic: str, partition: int) -> int | None:
            if (group, topic) == ("validation", RECORDS_INGESTED.name):
                self.looked += 1
                return self.looked
            return log.end_offset(topic, partition)

    log = MemoryLog.of(TOPICS, lambda: NOW)
    ingested(log, 12)
    findings = list(lags(log, Moving(log), 0.0))
    assert wrong(findings) == []
    assert "validation is 10 messages behind" in [finding.what for finding in findings]


def test_offsets_that_hold_no_message_are_no_lag() -> None:
    class Marked(MemoryLog):
        """Ends with a marker, as a topic does that transactions write to."""

        def end_offset(self, topic: str, partition: int) -> int:
            return super().end_offset(topic, partition) + 1

    log = Marked.of(TOPICS, lambda: NOW)
    groups = MemoryGroups(log)
    assert wrong(list(lags(log, groups, 0.0))) == []


@pytest.mark.parametrize(("days", "well"), [(300, True), (340, False), (800, False)])
def test_profiles_have_to_outlive_the_generation_in_use(days: int, well: bool) -> None:
    log = MemoryLog.of(TOPICS, lambda: NOW)
    cause = Message(LEDGER.name, 0, 0, NOW - days * DAY, "shop", b"")
    append_to(log, to_append(LEDGER.name, PROMOTED, cause))
    [finding] = list(retention(log))
    assert finding.well is well
    if not well:
        assert finding.what == f"shop: its generation began {days} days ago; profiles stay {PROFILES.retention // DAY}"
        assert "retention.ms" in finding.cure


def test_a_refused_episode_begins_a_generation_too() -> None:
    log = MemoryLog.of(TOPICS, lambda: NOW)
    closed = EpisodeClosed(pipeline="shop", episode="e", outcome="refused", gain=0, version=None, row=1, label=1)
    for event, days in ((PROMOTED, 800), (closed, 10)):
        append_to(log, to_append(LEDGER.name, event, Message(LEDGER.name, 0, 0, NOW - days * DAY, "shop", b"")))
    assert wrong(list(retention(log))) == []


def test_a_door_says_why_it_is_shut(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ingestion, prediction = running.doors()
    assert running.refusal_of(ingestion) == running.refusal_of(prediction) == ""
    monkeypatch.setenv("DRIFTLOOP_PREDICTION_URL", shop.url)
    assert running.refusal_of(running.doors()[1]) == "it answers 404"


def test_serving_is_no_groups_business() -> None:
    """Every replica reads it whole, so that nobody commits it: it would look like a service that stands still."""
    assert SERVING.name not in {topic for _, topics in checkup.readers() for topic in topics}
