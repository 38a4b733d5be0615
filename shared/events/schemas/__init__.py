"""The JSON Schema of every event, stored beside the code that it was made from.

Consumers in other languages read these files, and a change to an event shows in a review as a change of its file.
"""

from __future__ import annotations

import json
from pathlib import Path

import shared.events  # noqa: F401 - fills the catalogue
from shared.events.base import CATALOGUE, Event

FOLDER = Path(__file__).parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"
CURE = "run `make schemas` and read the difference: an event may gain optional fields, never lose or change one"


def render(kind: type[Event]) -> str:
    """The schema of an event's JSON value. Unknown fields are allowed, as readers allow them."""
    schema = {"$schema": DIALECT, "$id": f"{kind.type}.json", **kind.model_json_schema()}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def rendered() -> dict[str, str]:
    """File name -> contents, for every event of the catalogue."""
    return {f"{name}.json": render(kind) for name, kind in sorted(CATALOGUE.items())}


def stored() -> dict[str, str]:
    """File name -> contents, as they lie in the folder."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.json"))}


def stale() -> list[str]:
    """One line per stored file that is missing, nobody's, or not what the code says."""
    new, old = rendered(), stored()
    missing = [f"{name} is missing" for name in new.keys() - old.keys()]
    surplus = [f"{name} belongs to no event" for name in old.keys() - new.keys()]
    changed = [f"{name} differs from its event" for name in new.keys() & old.keys() if new[name] != old[name]]
    return sorted(missing + surplus + changed)


def write() -> None:
    """Store what the code says; files that belong to no event are removed."""
    new = rendered()
    for name in stored().keys() - new.keys():
        (FOLDER / name).unlink()
    for name, text in new.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
