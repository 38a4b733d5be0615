"""When the watchdog bites, and when not. No broker is needed for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from itertools import count
from typing import Any

import pytest

from shared.adapters.faust.watchdog import Standing, Watchdog

PATIENCE = 2.0


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One that turns on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(120)  # what was asked meanwhile is begun, at least
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def standing(behind: bool, marks: Callable[[], int]) -> Callable[[], Coroutine[Any, Any, Standing]]:
    async def answer() -> Standing:
        return Standing(behind, (marks(),))

    return answer


def bites(
    loop: asyncio.AbstractEventLoop, answer: Callable[[], Coroutine[Any, Any, Standing]], within: float = 60.0
) -> bool:
    bitten = threading.Event()
    watchdog = Watchdog(loop, answer, PATIENCE, lambda _: bitten.set())
    watchdog.start()
    result = bitten.wait(within)
    watchdog.release()
    watchdog.join()
    return result


def test_behind_and_without_progress(loop: asyncio.AbstractEventLoop) -> None:
    assert bites(loop, standing(True, lambda: 7))


def test_behind_but_getting_on(loop: asyncio.AbstractEventLoop) -> None:
    numbers = count()
    assert not bites(loop, standing(True, lambda: next(numbers)), within=3 * PATIENCE)


def test_nothing_to_do(loop: asyncio.AbstractEventLoop) -> None:
    assert not bites(loop, standing(False, lambda: 7), within=3 * PATIENCE)


def test_a_loop_that_is_blocked_cannot_answer(loop: asyncio.AbstractEventLoop) -> None:
    free = threading.Event()
    loop.call_soon_threadsafe(free.wait, 90)
    assert bites(loop, standing(False, lambda: 7))
    free.set()


def test_a_broker_that_does_not_answer(loop: asyncio.AbstractEventLoop) -> None:
    async def never() -> Standing:
        await asyncio.Event().wait()
        raise AssertionError

    assert bites(loop, never)
