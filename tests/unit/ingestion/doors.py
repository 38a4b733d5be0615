"""A pipeline, its blobs, and deliveries to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
import pyarrow as pa

from services.ingestion.core import Ingestion
from shared.domain import digest as digests
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import canonical_bytes
from shared.domain.rows import decode_batch, ingested_schema
from shared.events.deployment import ServingChanged
from shared.events.envelope import to_append
from shared.events.topics import SERVING
from shared.runtime.core import Answer, Append, Message, Request, Step, Unit

Value = TypeVar("Value")
NOW = 1_700_000_000_000

FEATURES = (
    Feature(name="price", kind=Kind.NUMBER),
    Feature(name="count", kind=Kind.INTEGER),
    Feature(name="shop", kind=Kind.CATEGORY),
    Feature(name="open", kind=Kind.BOOLEAN),
    Feature(name="at", kind=Kind.TIMESTAMP),
)
CONTRACT = Contract(features=FEATURES, label=Label(name="sold"))
PIPELINE = Pipeline(name="shop", contract=CONTRACT)


class Shelf:
    """Blobs in memory, and the ``read`` that cores get."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        name = digests.digest(data)
        self.blobs[name] = data
        return name

    def read(self, digest: str, decode: Callable[[bytes], Value]) -> Value:
        return decode(self.blobs[digest])


class Door:
    """An ingestion core that serves one pipeline."""

    def __init__(self, pipeline: Pipeline = PIPELINE, **settings: Any) -> None:
        self.shelf = Shelf()
        self.pipeline = pipeline
        self.core = Ingestion(**settings)
        self.state = self.core.initial(Unit(pipeline.name))
        self.file = self.shelf.put(canonical_bytes(pipeline))
        self.hear(serving_message(pipeline.name, self.file))

    def hear(self, message: Message) -> Step[Any]:
        step = self.core.handle(self.state, message, self.shelf.read)
        self.state = step.state
        return step

    def send(
        self, body: bytes, content_type: str = "application/json", action: str = "records", key: str = "k"
    ) -> tuple[int, dict[str, Any], list[Append]]:
        """Status, answer and appends of one request."""
        request = Request(key, action, body, NOW, content_type)
        *appends, answer = self.core.handle(self.state, request, self.shelf.read).effects
        assert isinstance(answer, Answer)
        return answer.status, orjson.loads(answer.body), appends  # type: ignore[return-value]

    def rows(self, append: Append) -> pa.RecordBatch:
        return decode_batch(append.value, ingested_schema(self.pipeline.contract))


def serving_message(pipeline: str, file: str, **fields: Any) -> Message:
    event = ServingChanged(pipeline=pipeline, file=file, **{"ledger_offset": 0, **fields})
    append = to_append(SERVING.name, event)
    return Message(SERVING.name, 0, 0, NOW, pipeline, append.value, append.headers)


def as_message(append: Append, offset: int = 0) -> Message:
    return Message(append.topic, 0, offset, NOW, append.unit.pipeline, append.value, append.headers)


def row(**values: Any) -> dict[str, Any]:
    """A row that fits `CONTRACT`, with some values replaced."""
    fitting: Mapping[str, Any] = {
        "price": 1.5, "count": 2, "shop": "north", "open": True, "at": "2024-01-02T03:04:05Z", "sold": "yes",
    }  # fmt: skip
    return {**fitting, **values}
