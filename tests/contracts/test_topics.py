"""Topics are declared once, and the declaration keeps the broker's rules and ours."""

from __future__ import annotations

import re

import pytest

from shared.events.topics import BY_NAME, COMMANDS, DAY, FOR_EVER, LEDGER, RECORDS_OFFERED, SERVING, TOPICS, Topic

NAME = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")
LONGEST = 249


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
class TestEveryTopic:
    def test_is_named_in_small_letters_dots_and_hyphens(self, topic: Topic) -> None:
        """Underscores and dots collide in the broker's metric names, so there are no underscores."""
        assert NAME.fullmatch(topic.name)
        assert len(f"driftloop.{topic.name}.v1") <= LONGEST

    def test_says_what_it_is_for_and_how_long_it_stays(self, topic: Topic) -> None:
        assert topic.says
        assert topic.retention == FOR_EVER or topic.retention >= DAY

    def test_is_per_lane_exactly_if_it_carries_rows_or_labels(self, topic: Topic) -> None:
        """Lanes begin behind the door, so what is offered there has none."""
        rows = topic.name.startswith("records.") or topic.name in ("labels", "predictions")
        assert topic.per_lane == (rows and topic != RECORDS_OFFERED)


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(TOPICS)


def test_decisions_are_kept_for_ever() -> None:
    assert (LEDGER.retention, LEDGER.compacted) == (FOR_EVER, False)


def test_only_the_latest_serving_value_counts() -> None:
    assert [topic for topic in TOPICS if topic.compacted] == [SERVING]


def test_control_topics_are_one_total_order_per_pipeline() -> None:
    assert not any(topic.per_lane for topic in (LEDGER, COMMANDS, SERVING))
