"""Each checker objects to the history that it is there to object to, and to no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.embedded.simulation.checkers import AllRead, ExactlyOnce, LogOrder, OffsetsMonotone, StateIsFold, where
from services.embedded.simulation.history import History
from services.embedded.simulation.scenario import Checker
from services.embedded.simulation.toy import Count, PlainRelay
from shared.adapters.memory import MemoryBlobs, MemoryGroups, MemoryLog, TopicSettings
from shared.runtime.advance import Held
from shared.runtime.codec import encode

TOPICS = ("in", "out", "snapshots.plain")


@pytest.fixture
def history() -> History:
    log = MemoryLog(lambda: 0)
    for topic in TOPICS:
        log.create(topic, TopicSettings(1, compacted=topic == "in"))
    return History(log)


def say(history: History, topic: str, value: bytes, key: str = "p", **headers: str) -> int:
    return history.log.append(topic, 0, key, value, headers)


def once() -> ExactlyOnce:
    return ExactlyOnce("in", "out", lambda message: [where(message)], lambda message: message.headers["cause"])


def commit(history: History, offset: int) -> None:
    groups = MemoryGroups(history.log)
    groups.commit(groups.join("g", "m", ("in",)), {("in", 0): offset})


def at_rest(history: History, checker: Checker) -> str | None:
    history.quiet = True
    return checker.observe(history)


def test_one_output_per_input_is_right_in_any_batches(history: History) -> None:
    checker = once()
    for number in range(3):
        say(history, "in", b"")
        assert checker.observe(history) is None
        say(history, "out", b"", cause=f"in/0/{number}")
        assert checker.observe(history) is None
    assert at_rest(history, checker) is None


@pytest.mark.parametrize("causes", [["in/0/0", "in/0/0"], ["in/0/7"]], ids=["twice", "ghost"])
def test_repeated_and_invented_outputs_are_noticed(history: History, causes: list[str]) -> None:
    say(history, "in", b"")
    for cause in causes:
        say(history, "out", b"", cause=cause)
    assert "repeats or invents" in str(once().observe(history))


def test_a_lost_output_is_noticed_when_nothing_moves_any_more(history: History) -> None:
    checker = once()
    say(history, "in", b"")
    assert checker.observe(history) is None
    assert at_rest(history, checker) == "lost: in/0/0"


def test_a_log_that_changes_behind_a_reader_is_noticed(history: History) -> None:
    checker = LogOrder("in")
    for _ in range(2):
        say(history, "in", b"")
    assert checker.observe(history) is None
    history.log.clean()
    assert "does not read the same twice" in str(at_rest(history, checker))


def test_offsets_that_go_back_are_noticed_unless_they_were_reset(history: History) -> None:
    checker = OffsetsMonotone()
    for _ in range(3):
        say(history, "in", b"")
    commit(history, 3)
    assert checker.observe(history) is None
    commit(history, 1)
    assert "went back from 3 to 1" in str(checker.observe(history))
    history.resets.append(("g", ("in", 0), 1))
    assert checker.observe(history) is None


def test_offsets_beyond_the_log_are_noticed(history: History) -> None:
    commit(history, 1)
    assert "beyond 0" in str(OffsetsMonotone().observe(history))


SNAPSHOTS: dict[str, tuple[Held[Count], Callable[[str | None], bool]]] = {
    "right": (Held(Count(5), {"out/0": 2}), lambda found: found is None),
    "too early": (Held(Count(2), {"out/0": 2}), lambda found: "no fold" in str(found)),
    "twice": (Held(Count(7), {"out/0": 2}), lambda found: "no fold" in str(found)),
    "from nowhere": (Held(Count(5), {"out/0": 3}), lambda found: "has no message" in str(found)),
}


@pytest.mark.parametrize("case", SNAPSHOTS)
def test_a_state_must_be_the_fold_of_what_it_covers(history: History, case: str) -> None:
    held, verdict = SNAPSHOTS[case]
    for value in (b"2", b"3"):
        say(history, "out", value, lane="0")
    say(history, "snapshots.plain", encode(held, Held[Count]), key="p/0")
    assert verdict(StateIsFold(PlainRelay(), "out", MemoryBlobs()).observe(history))


def test_what_a_group_never_read_is_noticed_in_the_end(history: History) -> None:
    checker = AllRead({"g": ("in",)})
    for _ in range(2):
        say(history, "in", b"")
    commit(history, 1)
    assert checker.observe(history) is None
    assert at_rest(history, checker) == "group g never read in/0/1"
    commit(history, 2)
    assert at_rest(history, checker) is None
