"""Stored states: what builds up to now have left in ``snapshots.<core>``, and a newer one starts from.

``python -m tests.contracts.snapshots`` drives every core through a short life of the plant and adds states of it, until
each kind of record that states were made of is in a stored one. It changes no file that is there. Deleting one is to
say that what it stands for can be read no more: operators then have to start from an empty snapshot topic.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from services.deployment.core import Deployment
from services.drift_detection.core import DriftDetection
from services.embedded.loop import Loop
from services.embedded.plant import Plant
from services.embedded.system import WORKER, Embedded
from services.ingestion.core import Ingestion
from services.prediction.core import Prediction
from services.training.core import Training
from services.training.work import work
from services.validation.core import Validation
from shared.adapters.memory import MemoryBlobs, MemoryLog
from shared.domain.pipeline_file import parse_pipeline
from shared.runtime.advance import Held
from shared.runtime.codec import decode
from shared.runtime.hosts import snapshots_of
from tests.unit.embedded.lives import FEW_TREES

FOLDER = Path(__file__).parent / "states"
FILES = tuple(sorted(FOLDER.glob("*/*.json")))
CORES = (Ingestion(), Validation(), Prediction(), DriftDetection(), Training(WORKER), Deployment())
KINDS = {core.name: cast(Any, Held)[core.state_type] for core in CORES}
PLANT = Plant(rows=1500)
BATCH, DELAY = 25, 3
"""Rows at once, and deliveries after which their labels follow."""
FEW = 4


def main() -> None:
    log = lived()
    for core in CORES:
        states = [shortened(message.value) for message in log.read(snapshots_of(core), 0, 0, 10**6)]
        stored = [path.read_bytes() for path in FILES if path.parent.name == core.name]
        for state in additions(KINDS[core.name], states, stored):
            path = FOLDER / core.name / f"{sha256(state).hexdigest()[:8]}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(state)
            print(f"{path.relative_to(FOLDER)}: {len(state):,} bytes")


def lived() -> MemoryLog:
    """The log of a life in which every state that was saved is still there."""
    whole = parse_pipeline(PLANT.pipeline_yaml())
    inputs = whole.drift.inputs.model_copy(update={"epoch": 25})
    drift = whole.drift.model_copy(update={"inputs": inputs})
    pipeline = whole.model_copy(update={"lanes": 2, "window": 100, "estimator": FEW_TREES, "drift": drift})
    blobs = MemoryBlobs()
    system = Embedded(pipeline, blobs)
    system.loop = Loop(CORES, system.log, blobs, work, persist=True)
    system.apply()
    batches = list(PLANT.batches(BATCH))
    for number, batch in enumerate(batches):
        system.records(batch)
        if number >= DELAY:
            late = batches[number - DELAY]
            system.labels(late["crate"].to_pylist(), late[pipeline.contract.label.name])
    return system.log


def shortened(state: bytes) -> bytes:
    """Of many records in a row a few, which are stored as all of them are."""
    return json.dumps(_few(json.loads(state)), separators=(",", ":")).encode()


def _few(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _few(part) for name, part in value.items()}
    if isinstance(value, list):
        records = all(isinstance(part, list | dict) for part in value)
        return [_few(part) for part in (value[-FEW:] if records else value)]
    return value


def additions(kind: Any, states: list[bytes], stored: list[bytes]) -> Iterator[bytes]:
    """States that hold what no stored one holds; of those that hold as much, the shortest."""
    held = {state: kinds(decode(kind, state)) for state in states}
    missing = set[type]().union(*held.values()).difference(*(kinds(decode(kind, state)) for state in stored))
    while missing:
        best = max(held, key=lambda state: len(held[state] & missing) / len(state))
        missing -= held[best]
        yield best


def kinds(value: Any) -> set[type]:
    """The classes of the records that a value is made of."""
    own = {type(value)} if is_dataclass(value) or isinstance(value, BaseModel) else set[type]()
    return own.union(*(kinds(part) for part in _parts(value)))


def _parts(value: Any) -> tuple[Any, ...]:
    if is_dataclass(value):
        return tuple(getattr(value, each.name) for each in fields(value))
    if isinstance(value, BaseModel | Mapping):
        return tuple(dict(value).values())
    return value if isinstance(value, tuple) else ()


if __name__ == "__main__":
    main()
