"""The desk between HTTP's threads and the core's: every request gets its own answer, or hears why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from threading import Thread
from time import monotonic
from typing import Any

import pytest

from shared.operations.desk import Closed, Desk, Full
from shared.operations.metrics import Metrics
from shared.runtime.core import Answer, Request, Unit

PLANT = Unit("plant")
PATIENCE = 5.0


class Callers:
    """An event loop on a thread of its own, as HTTP has."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, asking: Coroutine[Any, Any, Answer]) -> Future[Answer]:
        return asyncio.run_coroutine_threadsafe(asking, self._loop)

    def settle(self) -> None:
        """Until the loop has nothing left to do but wait."""
        for _ in range(3):
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(PATIENCE)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


class Bench:
    """A desk, seen from both sides."""

    def __init__(self, max_bytes: int = 100) -> None:
        self.metrics = Metrics()
        self.desk = Desk(max_bytes, self.metrics)
        self.callers = Callers()

    def ask(self, name: str, body: bytes = b"rows", unit: Unit = PLANT, timeout: float = PATIENCE) -> Future[Answer]:
        asking = self.callers.call(self.desk.ask(unit, Request(name, "records", body, 0), timeout))
        self.callers.settle()
        return asking

    def taken(self) -> list[str]:
        return [request.id for _, request in self.desk.take()]

    def answer(self, name: str, body: bytes = b"") -> None:
        self.desk.answer(Answer(name, 202, body))

    def bytes(self) -> float | None:
        return self.metrics.registry.get_sample_value("driftloop_desk_bytes")


@pytest.fixture
def bench() -> Any:
    bench = Bench()
    yield bench
    bench.callers.close()


def eventually(holds: Callable[[], bool]) -> bool:
    until = monotonic() + PATIENCE
    while not holds() and monotonic() < until:
        pass
    return holds()


def test_each_request_gets_its_answer(bench: Bench) -> None:
    first, second = bench.ask("a"), bench.ask("b")
    assert bench.taken() == ["a", "b"]
    bench.answer("b", b"for b")
    bench.answer("a", b"for a")
    assert (first.result(PATIENCE).body, second.result(PATIENCE).body) == (b"for a", b"for b")


def test_at_most_so_many_are_taken_at_once(bench: Bench) -> None:
    for name in "abc":
        bench.ask(name)
    assert [request.id for _, request in bench.desk.take(2)] == ["a", "b"]
    assert bench.taken() == ["c"]


def test_bytes_count_until_the_answer(bench: Bench) -> None:
    asking = bench.ask("a", b"x" * 60)
    bench.taken()
    assert bench.bytes() == 60
    with pytest.raises(Full) as full:
        bench.ask("b", b"x" * 60).result(PATIENCE)
    assert full.value.retry_after > 0
    bench.answer("a")
    asking.result(PATIENCE)
    assert bench.bytes() == 0
    bench.ask("b", b"x" * 60)
    assert bench.taken() == ["b"]


def test_what_is_larger_than_the_desk_is_taken_where_there_is_nothing_else(bench: Bench) -> None:
    bench.ask("a", b"x" * 1000)
    assert bench.taken() == ["a"]


def test_two_who_ask_the_same_at_once_share_the_answer(bench: Bench) -> None:
    first = bench.ask("a")
    assert bench.taken() == ["a"]
    second = bench.ask("a")
    assert bench.taken() == []
    bench.answer("a", b"once")
    assert first.result(PATIENCE) == second.result(PATIENCE) == Answer("a", 202, b"once")


def test_one_who_hangs_up_does_not_take_the_answer_from_the_other(bench: Bench) -> None:
    first, second = bench.ask("a"), bench.ask("a")
    first.cancel()
    bench.callers.settle()
    bench.taken()
    bench.answer("a", b"still")
    assert second.result(PATIENCE).body == b"still"


def test_another_request_of_the_same_id_waits_for_its_own_answer(bench: Bench) -> None:
    mine, other = bench.ask("a", b"mine"), bench.ask("a", b"other", Unit("brewery"))
    assert bench.taken() == ["a"]
    bench.answer("a", b"for mine")
    assert mine.result(PATIENCE).body == b"for mine"
    assert bench.desk.wait(PATIENCE)
    [(unit, request)] = bench.desk.take()
    assert (unit, request.body) == (Unit("brewery"), b"other")
    bench.answer("a", b"for other")
    assert other.result(PATIENCE).body == b"for other"


def test_an_id_may_come_again_later(bench: Bench) -> None:
    for body in (b"first", b"second"):
        asking = bench.ask("a")
        bench.taken()
        bench.answer("a", body)
        assert asking.result(PATIENCE).body == body


def test_a_request_that_nobody_waits_for_any_more_is_dropped(bench: Bench) -> None:
    """Else a log that is down would fill the memory with what was given up long ago."""
    with pytest.raises(TimeoutError):
        bench.ask("a", timeout=0.01).result(PATIENCE)
    assert bench.taken() == []
    assert bench.bytes() == 0


def test_an_answer_that_comes_too_late_disturbs_nobody(bench: Bench) -> None:
    late = bench.ask("a", timeout=0.01)
    bench.taken()
    with pytest.raises(TimeoutError):
        late.result(PATIENCE)
    bench.answer("a")
    bench.answer("never asked")
    assert bench.bytes() == 0


def test_closing_tells_apart_what_nobody_took_and_what_nobody_knows(bench: Bench) -> None:
    taken = bench.ask("taken")
    bench.taken()
    waiting = bench.ask("waiting")
    bench.desk.close()
    bench.desk.close()
    with pytest.raises(Closed):
        waiting.result(PATIENCE)
    with pytest.raises(TimeoutError):
        taken.result(PATIENCE)
    with pytest.raises(Closed):
        bench.ask("late").result(PATIENCE)


def test_the_core_is_woken_by_a_request(bench: Bench) -> None:
    assert not bench.desk.wait(0)
    woken: list[bool] = []
    waiting = Thread(target=lambda: woken.append(bench.desk.wait(PATIENCE)))
    waiting.start()
    bench.ask("a")
    waiting.join(PATIENCE)
    assert woken == [True]


def test_many_at_once_all_get_their_own() -> None:
    bench = Bench(max_bytes=1 << 20)
    asked = {
        f"{n}": bench.callers.call(bench.desk.ask(PLANT, Request(f"{n}", "records", b"r", 0), 30)) for n in range(500)
    }
    left = set(asked)
    while left and bench.desk.wait(PATIENCE):
        for _, request in bench.desk.take():
            bench.answer(request.id, request.id.encode())
            left.discard(request.id)
    assert all(asking.result(PATIENCE).body == name.encode() for name, asking in asked.items())
    assert eventually(lambda: bench.bytes() == 0)
    bench.callers.close()
