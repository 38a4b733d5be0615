"""Hypothesis: a lane's rows and labels in messages of any size and any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from hypothesis import strategies as st

from tests.unit.prediction.bench import Account, Bench, Row

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Delivery:
    """One message. ``skipped``: rejected rows before its rows; ``version``: who serves from here on, if it changes."""

    kind: Literal["rows", "labels"]
    rows: tuple[Row, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    skipped: int = 0
    version: str | None = None


@st.composite
def deliveries(draw: st.DrawFn, *, early: bool = True) -> list[Delivery]:
    """Up to 120 rows; labels shuffled, some missing, some twice, some different the second time, some for nobody."""
    n = draw(st.integers(1, 120))
    sides = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    rows = [(f"r{i}", 1.0 if side else -1.0, None) for i, side in enumerate(sides)]
    messages = [
        Delivery("rows", part, skipped=draw(st.integers(0, 3)), version=draw(st.sampled_from([None, "one", "two"])))
        for part in _cut(draw, tuple(rows))
    ]
    known = st.sampled_from([row[0] for row in rows] + ["nobody", "stranger"])
    said = draw(st.lists(st.tuples(known, st.sampled_from(["yes", "no"])), max_size=2 * n))
    labels = [Delivery("labels", labels=part) for part in _cut(draw, tuple(said))] if said else []
    if early:
        order = draw(st.permutations([0] * len(messages) + [1] * len(labels)))
        queues = (iter(messages), iter(labels))
        return [next(queues[which]) for which in order]
    return _after_their_rows(messages, labels)


def _cut(draw: st.DrawFn, things: tuple[Thing, ...]) -> list[tuple[Thing, ...]]:
    ends = sorted(draw(st.sets(st.integers(1, len(things)), max_size=6)) | {len(things)})
    return [things[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _after_their_rows(messages: list[Delivery], labels: list[Delivery]) -> list[Delivery]:
    seen: set[str] = set()
    result, waiting = [], list(labels)
    for message in messages:
        result.append(message)
        seen |= {row[0] for row in message.rows}
        while waiting and {name for name, _ in waiting[0].labels} - {"nobody", "stranger"} <= seen:
            result.append(waiting.pop(0))
    return result + waiting


def deliver(bench: Bench, messages: list[Delivery]) -> Account:
    """All of it to lane 0, and what ought to have come of it."""
    account = Account()
    for message in messages:
        if message.kind == "rows":
            if message.version:
                bench.serve(message.version, 1 if message.version == "one" else -1)
            bench.rows(message.rows, skipped=message.skipped)
            account.rows(row[0] for row in message.rows)
        else:
            bench.labels(message.labels)
            account.labels(message.labels)
    return account


def deliver_inline(bench: Bench, messages: list[Delivery], account: Account) -> None:
    """The same rows under the same versions, each with its first label in it."""
    for message in messages:
        if message.kind == "rows":
            if message.version:
                bench.serve(message.version, 1 if message.version == "one" else -1)
            bench.rows([(name, x, account.first.get(name)) for name, x, _ in message.rows], skipped=message.skipped)
