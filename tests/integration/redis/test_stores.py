"""The two caches on a real server: right while it is there, quickly done without while it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from select import select
from time import monotonic

import pytest

from shared.access.stores import Earlier, OtherBody, Standing, StoreDown
from shared.adapters.redis.client import PATIENCE, Cache
from shared.adapters.redis.idempotency import IdempotencyWindow
from shared.adapters.redis.read_model import RedisReadModel
from tests.integration.redis.conftest import PATIENT, REST, LossyWay, Server, again
from tests.waiting import until

ONE, OTHER = "1" * 64, "2" * 64
FOR_EVER = -1
"""What `PTTL` says of a key that has no end; of one that has ended it says -2."""
ANSWER = Earlier(202, b'{"batch": "b", "ids": ["\xc3\xa9 \x00"]}')


@pytest.fixture
def window(cache: Cache) -> IdempotencyWindow:
    return IdempotencyWindow(cache, "test")


@pytest.fixture
def model(cache: Cache) -> RedisReadModel:
    return RedisReadModel(cache, "test")


@pytest.fixture
def way(server: Server) -> Iterator[LossyWay]:
    opened = LossyWay(server)
    yield opened
    opened.close()


def standing(offset: int, pipeline: str = "shop", **document: object) -> Standing:
    return Standing(pipeline, offset, 1_700_000_000_000 + offset, {"offset": offset, **document})


def seconds(what: Callable[[], object]) -> float:
    start = monotonic()
    with pytest.raises(StoreDown):
        what()
    return monotonic() - start


def test_a_key_is_new_once_then_open_then_answered(window: IdempotencyWindow) -> None:
    assert window.begin("k", ONE) is None
    assert window.begin("k", ONE) is None
    window.keep("k", ONE, ANSWER)
    assert window.begin("k", ONE) == ANSWER


def test_another_body_is_noticed_before_and_after_the_answer(window: IdempotencyWindow) -> None:
    window.begin("k", ONE)
    with pytest.raises(OtherBody):
        window.begin("k", OTHER)
    window.keep("k", ONE, ANSWER)
    with pytest.raises(OtherBody):
        window.begin("k", OTHER)


def test_a_key_that_was_let_go_is_free_but_an_answer_stays(window: IdempotencyWindow) -> None:
    window.begin("k", ONE)
    window.forget("k", OTHER)
    with pytest.raises(OtherBody):
        window.begin("k", OTHER)
    window.forget("k", ONE)
    assert window.begin("k", OTHER) is None
    window.keep("k", OTHER, ANSWER)
    window.forget("k", OTHER)
    assert window.begin("k", OTHER) == ANSWER


def test_an_answer_never_takes_the_place_of_anothers(window: IdempotencyWindow) -> None:
    window.begin("k", ONE)
    window.keep("k", OTHER, ANSWER)
    assert window.begin("k", ONE) is None


def test_an_answer_that_is_too_large_is_not_kept(cache: Cache) -> None:
    window = IdempotencyWindow(cache, "test", largest=10)
    window.begin("k", ONE)
    window.keep("k", ONE, Earlier(202, b"x" * 11))
    assert window.begin("k", ONE) is None


def test_keys_are_forgotten_after_the_window(cache: Cache) -> None:
    window = IdempotencyWindow(cache, "test", seconds=1)
    window.begin("k", ONE)
    window.keep("k", ONE, ANSWER)
    assert FOR_EVER != cache.ask("PTTL", "test:answer:k") <= 1000
    until(lambda: not cache.ask("EXISTS", "test:answer:k"))
    assert window.begin("k", OTHER) is None


def test_the_furthest_fold_wins_in_whatever_order_writers_come(model: RedisReadModel) -> None:
    offsets = list(range(60)) * 2
    Random(0).shuffle(offsets)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda offset: model.put(standing(offset)), offsets))
    assert model.get("shop") == standing(59)
    assert not model.put(standing(58))
    assert model.put(standing(59, again=True))
    assert model.put(standing(2**53 - 1))
    assert not model.put(standing(2**53 - 2))


def test_all_are_listed_by_name(model: RedisReadModel) -> None:
    for name in ("b", "a", "c"):
        model.put(standing(1, name))
    assert [each.pipeline for each in model.list()] == ["a", "b", "c"]
    assert model.get("d") is None


def test_everything_lost_is_everything_new(cache: Cache, window: IdempotencyWindow, model: RedisReadModel) -> None:
    window.begin("k", ONE)
    model.put(standing(9))
    cache.ask("FLUSHALL")
    assert window.begin("k", OTHER) is None
    assert (model.get("shop"), model.list()) == (None, ())
    assert model.put(standing(3))


def test_a_reply_that_was_lost_changes_nothing_for_those_who_ask_again(cache: Cache, way: LossyWay) -> None:
    far = Cache(way.url, rest=REST)
    window, model = IdempotencyWindow(far, "test"), RedisReadModel(far, "test")
    again(lambda: far.ask("PING"))
    way.lose()
    assert PATIENCE <= seconds(lambda: window.begin("k", ONE)) < 40 * PATIENCE
    until(lambda: cache.ask("EXISTS", "test:answer:k"))
    again(lambda: window.begin("k", ONE))
    again(lambda: window.keep("k", ONE, ANSWER))
    assert again(lambda: window.begin("k", ONE)) == ANSWER
    assert again(lambda: model.put(standing(1)))
    assert again(lambda: model.put(standing(1)))


def test_a_command_is_sent_once_whatever_becomes_of_its_reply(cache: Cache, way: LossyWay) -> None:
    far = Cache(way.url, rest=REST)
    again(lambda: far.ask("PING"))
    way.lose()
    seconds(lambda: far.ask("INCR", "count"))
    until(lambda: cache.ask("GET", "count"))
    assert cache.ask("GET", "count") == b"1"


def test_a_server_that_is_gone_costs_one_time_out_and_then_nothing(server: Server, cache: Cache) -> None:
    resting = Cache(server.url, patience=PATIENT, rest=300)
    window = IdempotencyWindow(resting, "test")
    window.begin("k", ONE)
    server.stop_serving()
    try:
        assert seconds(lambda: window.begin("k", ONE)) < 4 * PATIENT
        for _ in range(1000):
            with pytest.raises(StoreDown, match="is not asked again yet"):
                window.begin("k", ONE)
    finally:
        server.serve_again()
    again(lambda: IdempotencyWindow(cache, "test").begin("k", ONE))


def test_a_server_that_hangs_costs_no_more_than_the_time_out(server: Server, cache: Cache) -> None:
    hasty = Cache(server.url, rest=REST)
    again(lambda: hasty.ask("PING"))
    server.get_wrapped_container().pause()
    try:
        assert seconds(lambda: hasty.ask("PING")) < 40 * PATIENCE
        start = monotonic()
        with ThreadPoolExecutor(20) as pool:
            told = list(pool.map(lambda _: refusal(hasty), range(20)))
        took = monotonic() - start
        assert took < 100 * PATIENCE
        assert sum("did not answer" in each for each in told) <= 1 + took / REST, "one tries after each rest"
    finally:
        server.get_wrapped_container().unpause()
    again(lambda: hasty.ask("PING"))


def refusal(cache: Cache) -> str:
    with pytest.raises(StoreDown) as error:
        cache.ask("PING")
    return str(error.value)


def test_connections_that_the_server_closed_are_replaced_without_a_failure(server: Server, cache: Cache) -> None:
    other = Cache(server.url, patience=PATIENT, rest=300)
    other.ask("PING")
    cache.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    [connection] = other._redis.connection_pool._available_connections
    assert select([connection._sock], [], [], 60)[0], "the end of the connection has come this far"
    assert other.ask("PING")
