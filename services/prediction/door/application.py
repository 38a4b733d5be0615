"""The application, put together from what it is given."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from services.prediction.door import infers, models
from services.prediction.door.documents import ABOUT
from services.prediction.door.inference import Offer
from services.prediction.door.served import Served
from shared.access.bodies import Limits
from shared.access.pages import serve_docs
from shared.access.problems import tell_problems
from shared.access.tokens import Access
from shared.access.watching import Measures, watch


def application(
    served: Served,
    access: Access,
    offer: Offer,
    limits: Limits,
    measures: Measures,
    *,
    ready: Callable[[], bool],
    threads: int,
) -> FastAPI:
    """HTTP over the champions in service. Nothing runs until a server does."""
    app = FastAPI(title="Driftloop prediction", description=ABOUT, version="2", docs_url=None, redoc_url=None)
    known = models.Models(served, ready)
    app.include_router(models.routes(known, access))
    app.include_router(infers.routes(infers.Infers(known, offer, limits, threads), access))
    serve_docs(app)
    tell_problems(app)
    watch(app, measures)
    return app
