"""A lane of validation behind a real door."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from services.ingestion.typed import typed_batch
from services.validation.core import Validation
from shared.domain.baseline import baseline_of, encode_baseline
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import DriftPolicy, InputDriftPolicy, Pipeline
from shared.domain.profile import Profile
from shared.domain.rows import decode_batch, validated_schema
from shared.events.envelope import from_message
from shared.events.validation import ProfileTaken, rejected_schema
from shared.runtime.core import Append, Message, Unit
from tests.unit.ingestion.doors import Door, as_message, serving_message

CONTRACT = Contract(
    features=(
        Feature(name="price", kind=Kind.NUMBER, minimum=0, maximum=100),
        Feature(name="shop", kind=Kind.CATEGORY, allowed=("north", "south"), nullable=True),
    ),
    label=Label(name="sold"),
    record_id="order",
)
PIPELINE = Pipeline(name="shop", contract=CONTRACT, drift=DriftPolicy(inputs=InputDriftPolicy(epoch=10)))


class Lane:
    """Validation's core on one lane of a pipeline, and what it said."""

    def __init__(self, pipeline: Pipeline = PIPELINE, lane: int = 0) -> None:
        self.door = Door(pipeline)
        self.core = Validation()
        self.state = self.core.initial(Unit(pipeline.name, lane))
        self.said: list[Append] = []
        self.sent = 0

    def serve(self, generation: int, offset: int = 1) -> None:
        """A baseline of twenty plain rows takes effect."""
        plain = pa.RecordBatch.from_pylist([{"order": str(i), "price": float(i), "shop": "north"} for i in range(20)])
        rows, _ = typed_batch(plain, CONTRACT, "baseline")
        baseline = baseline_of(CONTRACT, pa.Table.from_batches([rows]), generation)
        name = self.door.shelf.put(encode_baseline(baseline))
        fields = {"baseline": name, "generation": generation, "ledger_offset": offset}
        self.hear(serving_message("shop", self.door.file, **fields))

    def hear(self, message: Message) -> list[Append]:
        step = self.core.handle(self.state, message, self.door.shelf.read)
        self.state = step.state
        appends = [effect for effect in step.effects if isinstance(effect, Append)]
        self.said += appends
        return appends

    def receive(self, *rows: dict[str, Any]) -> list[Append]:
        """Rows through the door; those without an order get one."""
        named = [{"order": f"{self.sent + place}", **row} for place, row in enumerate(rows)]
        self.sent += len(rows)
        _, _, (append,) = self.door.send(json.dumps(named).encode(), key=str(self.sent))
        return self.hear(as_message(append))

    def validated(self, append: Append) -> list[dict[str, Any]]:
        return decode_batch(append.value, validated_schema(CONTRACT)).to_pylist()  # type: ignore[no-any-return]

    def rejected(self, append: Append) -> list[dict[str, Any]]:
        return decode_batch(append.value, rejected_schema(CONTRACT)).to_pylist()  # type: ignore[no-any-return]

    def profiles(self) -> list[Profile]:
        events = [from_message(as_message(append)) for append in self.said if append.topic == "profiles"]
        return [event.profile for event in events if isinstance(event, ProfileTaken)]


def good(price: float = 1.0) -> dict[str, Any]:
    return {"price": price, "shop": "north", "sold": "yes"}
