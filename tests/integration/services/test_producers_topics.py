"""A producer that knows nothing of Driftloop writes JSON to a topic of its own. Each of its messages becomes rows once,
or a dead letter, however often ingestion is killed or told the same again."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import httpx
import orjson
import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from services.ingestion.identity import batch_id
from shared.adapters.kafka.connection import FOREIGN, Connection
from shared.adapters.kafka.topics import Layout, settings_of
from shared.domain.pipeline_file import decode_pipeline
from shared.domain.rows import ID, decode_batch, validated_schema
from shared.events.topics import RECORDS_DEAD, RECORDS_INGESTED, RECORDS_VALIDATED
from shared.operations.subscription import BATCH
from shared.runtime.core import Message
from tests.integration.fleet import PARTITIONS, Fleet, Member, fleet
from tests.integration.kafka import stock
from tests.integration.record import Record
from tests.waiting import until

PREFIX, TOPIC, NAME = "producers", "shop.orders", "shop"
PLACES = [TopicPartition(TOPIC, partition) for partition in range(3)]
"""Another number of partitions than Driftloop's own topics have: a producer's topic is cut as the producer likes."""
GROUP = f"{PREFIX}.ingestion.{TOPIC}"
SETTINGS = {
    "DRIFTLOOP_INGESTION_PRODUCER_TOPICS": orjson.dumps([{"topic": TOPIC, "pipeline": NAME}]).decode(),
    # How long the group waits for a member that was killed.
    "DRIFTLOOP_KAFKA_SESSION_SECONDS": "6",
}
FILE = f"""
name: {NAME}
contract:
  features:
    - {{name: number, kind: integer}}
    - {{name: price, kind: number}}
  label: {{name: paid}}
"""


def order(number: int) -> bytes:
    return b'{"number": %d, "price": %d.5, "paid": "yes", "till": "a column that nobody asked for"}' % (number, number)


@dataclass
class Till:
    """The producer: kafka-python as it comes, with keys that are no text and name no pipeline.

    ``sent``: where the broker put which order.
    """

    client: Any
    sent: dict[tuple[int, int], int] = field(default_factory=dict)
    _under_way: list[tuple[int, Any]] = field(default_factory=list)

    def send(self, orders: int) -> None:
        """Under way, and on the broker after `settle`."""
        first = len(self.sent) + len(self._under_way)
        self._under_way += [(number, self._send(order(number), number)) for number in range(first, first + orders)]

    def settle(self) -> None:
        for number, future in self._under_way:
            stands = future.get(60)
            self.sent[stands.partition, stands.offset] = number
        self._under_way.clear()

    def send_raw(self, body: bytes | None) -> tuple[int, int]:
        """Anything at all; where it stands."""
        stands = self._send(body, 0).get(60)
        return stands.partition, stands.offset

    def _send(self, body: bytes | None, number: int) -> Any:
        return self.client.send(TOPIC, key=b"\xff%d" % number, value=body, partition=number % len(PLACES))


@dataclass(frozen=True)
class Shop:
    """Ingestion reads the till's topic; deployment says by which contract, validation judges what comes of it."""

    broker: str
    fleet: Fleet
    record: Record
    till: Till
    observer: Any
    """A consumer in ingestion's group that takes no part in it."""

    @property
    def ingestion(self) -> Member:
        return self.fleet["ingestion"]

    def apply(self) -> None:
        url = f"{self.fleet.ingestion_url}/v1/pipelines/{NAME}"
        httpx.put(url, content=FILE, headers={"content-type": "application/yaml"}, timeout=60).raise_for_status()
        until(lambda: httpx.post(f"{url}/records", json=[], timeout=60).status_code == 400, "rows are asked for")

    def ingested(self) -> int:
        return sum(self.record.log.end_offset(RECORDS_INGESTED.name, partition) for partition in range(PARTITIONS))

    def committed(self) -> list[int]:
        return [self.observer.committed(place) or 0 for place in PLACES]

    def commit(self, offsets: list[int]) -> bool:
        """Whether the broker took it: it does once the group has no member left."""
        try:
            self.observer.commit({place: stock.at(offset) for place, offset in zip(PLACES, offsets, strict=True)})
        except KafkaError:
            return False
        return True

    def rest(self) -> None:
        """Until all that the till has sent is read, and all that came of it judged."""
        self.till.settle()
        ends = self.observer.end_offsets(PLACES)
        self.record.wait(lambda: self.committed() == [ends[place] for place in PLACES], "the till's topic is read")
        self.record.wait(lambda: self._judged() == self.ingested(), "all rows are judged")

    def rows(self) -> Counter[tuple[str, int]]:
        """(id, order) of what went through."""
        found = Counter[tuple[str, int]]()
        for message in self.record.messages(RECORDS_VALIDATED.name):
            schema = validated_schema(self.record.read(message.headers["file"], decode_pipeline).contract)
            rows = decode_batch(message.value, schema)
            found.update(zip(rows.column(ID).to_pylist(), rows.column("number").to_pylist(), strict=True))
        return found

    def letters(self, stage: str) -> list[Message]:
        found = self.record.messages(RECORDS_DEAD.name)
        return [message for message in found if message.headers["__connect.errors.stage"] == stage]

    @contextmanager
    def no_room_for_rows(self) -> Iterator[None]:
        """The broker takes nothing from ingestion that is longer than a byte."""
        self._limit("1")
        try:
            yield
        finally:
            self._limit(settings_of(RECORDS_INGESTED, Layout())["max.message.bytes"])

    def refused_some_of(self, orders: int) -> bool:
        self.till.send(orders)
        self.till.settle()
        with suppress(OSError):
            return 'driftloop_log_errors_total{error="MessageTooLarge"}' in self.ingestion.metrics()
        return False

    def cut_short(self, orders: int) -> bool:
        """Kills ingestion when some of the orders have come in; whether others had not."""
        before = self.ingested()
        self.till.send(orders)
        until(lambda: self.ingested() > before, "the first of them have come in")
        self.ingestion.kill()
        self.till.settle()
        return self.ingested() < len(self.till.sent)

    def _limit(self, largest: str) -> None:
        name = Connection(self.broker, PREFIX).wire_name(RECORDS_INGESTED.name)
        topic = ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": largest})
        with closing(KafkaAdminClient(bootstrap_servers=self.broker)) as admin:
            admin.alter_configs([topic])

    def _judged(self) -> int:
        refused = sum(int(letter.headers["rows"]) for letter in self.letters("validation"))
        return self.record.rows(RECORDS_VALIDATED.name) + refused


def each_once(till: Till) -> Counter[tuple[str, int]]:
    """A row's id is made of the place where its message stood, and of nothing else."""
    return Counter(
        (f"{batch_id(NAME, f'{FOREIGN}{TOPIC}/{partition}/{offset}')}:0", number)
        for (partition, offset), number in till.sent.items()
    )


@pytest.fixture(scope="module")
def shop(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("producers")
    with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
        admin.create_topics({TOPIC: {"num_partitions": len(PLACES), "replication_factor": 1}})
    record = Record.of(broker, PREFIX, folder / "blobs", NAME)
    names = ("ingestion", "validation", "deployment")
    with (
        closing(record),
        stock.producer(broker) as client,
        stock.consumer(broker, group_id=GROUP) as observer,
        fleet(broker, folder, prefix=PREFIX, names=names, settings=SETTINGS) as some,
    ):
        started = Shop(broker, some, record, Till(client), observer)
        started.apply()
        yield started


def test_each_message_becomes_a_row_once_though_ingestion_is_killed_in_the_midst_of_them(shop: Shop) -> None:
    while not shop.cut_short(3000):
        shop.ingestion.start()
    shop.till.send(500)
    shop.ingestion.start()
    shop.rest()
    assert shop.rows() == each_once(shop.till)


def test_messages_whose_rows_the_log_refuses_are_not_passed_over(shop: Shop) -> None:
    shop.till.send(1)
    shop.rest()  # ingestion knows the log's limits from better days
    with shop.no_room_for_rows():
        until(lambda: shop.refused_some_of(10), "a row is refused")
    shop.rest()
    assert shop.rows() == each_once(shop.till)


def test_messages_that_are_read_again_make_the_same_rows_and_those_count_once(shop: Shop) -> None:
    shop.till.send(300)
    shop.rest()
    before = shop.ingested()
    shop.ingestion.kill(signal.SIGTERM)
    # As far back as a crash between the rows and the commit could leave them.
    back = [offset - BATCH for offset in shop.committed()]
    until(lambda: shop.commit(back), "ingestion has left its group")
    shop.ingestion.start()
    shop.rest()
    assert shop.ingested() >= before + BATCH * len(PLACES)
    assert shop.rows() == each_once(shop.till)


UNFIT: tuple[tuple[bytes | None, str], ...] = (
    (b"three crates of apples", "unreadable"),
    (b'{"number": 1, "price": ', "unreadable"),
    (b'\xff\xfe{"number": 1}', "unreadable"),
    (b'{"number": "three", "price": 1.5, "paid": "yes"}', "wrong-type"),
    (b'{"number": 3, "price": ["secret"], "paid": "yes"}', "wrong-type"),
    (b"  \n", "empty"),
    (None, "empty"),
)


def test_what_does_not_fit_becomes_a_letter_that_says_why_and_holds_up_nothing(shop: Shop) -> None:
    shop.till.send(6)
    shop.till.settle()
    earlier = len(shop.letters("ingestion"))
    unfit = {shop.till.send_raw(body): (body or b"", reason) for body, reason in UNFIT}
    shop.till.send(6)
    shop.rest()
    letters = {place_of(letter): letter for letter in shop.letters("ingestion")[earlier:]}
    assert {place: (letter.value, letter.headers["driftloop.reason"]) for place, letter in letters.items()} == {
        (FOREIGN + TOPIC, *place): told for place, told in unfit.items()
    }
    assert all(letter.headers["__connect.errors.exception.message"] for letter in letters.values())
    assert shop.rows() == each_once(shop.till)


def place_of(letter: Message) -> tuple[str, int, int]:
    topic, partition, offset = (letter.headers[f"__connect.errors.{each}"] for each in ("topic", "partition", "offset"))
    return topic, int(partition), int(offset)


def test_of_a_message_with_several_rows_the_good_ones_go_on(shop: Shop) -> None:
    number = len(shop.till.sent)
    place = shop.till.send_raw(b'[%b, {"number": "three"}]' % order(number))
    shop.till.sent[place] = number
    shop.rest()
    [letter] = [letter for letter in shop.letters("ingestion") if place_of(letter)[1:] == place]
    assert (letter.value, letter.headers["row"]) == (b'{"number": "three"}', "1")
    assert shop.rows() == each_once(shop.till)


def test_another_tool_finds_the_topics_of_letters_by_their_names_on_the_broker(shop: Shop) -> None:
    wire = Connection(shop.broker, PREFIX).wire_name
    expected = len(shop.record.messages(RECORDS_DEAD.name))
    letters: list[Any] = []
    with stock.consumer(shop.broker, wire(RECORDS_DEAD.name), auto_offset_reset="earliest") as reader:

        def all_read() -> bool:
            letters.extend(chain.from_iterable(reader.poll(100).values()))
            return len(letters) == expected

        until(all_read, "the letters are read")
    told = {value.decode() for letter in letters for name, value in letter.headers if name == "__connect.errors.topic"}
    assert told == {TOPIC, wire(RECORDS_INGESTED.name)}
