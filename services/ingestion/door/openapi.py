"""``python -m services.ingestion.door.openapi [--check]``: the stored OpenAPI document of this door."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI

from services.ingestion.door.application import application
from shared.access.bodies import Limits
from shared.access.pages import stored_by
from shared.access.tokens import OpenAccess
from shared.access.watching import Unmeasured

STORED = Path("docs/openapi.json")
"""From the repository's root, where `make` runs."""


def described() -> FastAPI:
    """The application with nothing behind it: enough to say what it takes."""
    nothing = cast(Any, None)
    return application(nothing, OpenAccess(), nothing, nothing, nothing, Limits(), Unmeasured())


if __name__ == "__main__":
    sys.exit(stored_by("services.ingestion.door.openapi", STORED, described))
