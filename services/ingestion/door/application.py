"""The application, put together from what it is given."""

from __future__ import annotations

from fastapi import FastAPI

from services.ingestion.door import commands, deliveries, pipelines, standings
from services.ingestion.door.counter import Counter
from services.ingestion.door.documents import ABOUT
from services.ingestion.door.once import Once
from shared.access.bodies import Intake, Limits
from shared.access.pages import serve_docs
from shared.access.problems import tell_problems
from shared.access.stores import ReadModel, Window
from shared.access.tokens import Access
from shared.access.watching import Measures, watch
from shared.operations.desk import Desk


def application(
    desk: Desk,
    access: Access,
    idempotency: Window,
    blobs: pipelines.Shelf,
    status: ReadModel,
    limits: Limits,
    measures: Measures,
) -> FastAPI:
    """HTTP over a desk. Nothing runs until a server does."""
    app = FastAPI(title="Driftloop ingestion", description=ABOUT, version="1", docs_url=None, redoc_url=None)
    counter = Counter(desk, Once(idempotency, measures), limits.answer_seconds)
    intake = Intake(limits)
    app.include_router(deliveries.routes(deliveries.Deliveries(counter, intake, limits.body_bytes), access))
    app.include_router(commands.routes(commands.Commands(counter, intake), access))
    app.include_router(
        pipelines.routes(pipelines.Pipelines(counter, intake, blobs, limits.model_bytes), access),
    )
    app.include_router(standings.routes(standings.Standings(status, measures), access))
    serve_docs(app)
    tell_problems(app)
    watch(app, measures)
    return app
