"""`docs/asyncapi.yaml`: what goes over the topics, for people and generators, made from the code that sends it.

AsyncAPI 3.1.0, Kafka bindings 0.5.0.  Values of events refer to the stored schemas (`shared.events.schemas`), so the
document has to stay in its place beside them.
"""

from __future__ import annotations

from pathlib import Path

from services.asyncapi.document import render

FILE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
CURE = "run `make schemas` and read the difference: others may read and write what has changed"


def stale() -> bool:
    """Whether the stored document is not what the code says."""
    return not FILE.is_file() or FILE.read_text(encoding="utf-8") != render()


def write() -> None:
    FILE.write_text(render(), encoding="utf-8")
