"""``/docs``, ``/openapi.json``, and the copy of the latter that is stored in the repository."""

from __future__ import annotations

import argparse
import html
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

SLOT = '<div id="swagger-ui">'
"""Swagger UI, which comes from a public network, replaces what stands in here. Without it the list stays."""


def serve_docs(app: FastAPI) -> None:
    """The interactive page; where its scripts can't be fetched, a plain list of what there is."""

    async def docs() -> HTMLResponse:
        page = bytes(
            get_swagger_ui_html(openapi_url="openapi.json", title=app.title, swagger_favicon_url="data:,").body
        ).decode()
        return HTMLResponse(page.replace(SLOT, SLOT + _plain(app.openapi()), 1))

    app.add_api_route("/docs", docs, methods=["GET"], include_in_schema=False)


def _plain(document: dict[str, Any]) -> str:
    rows = "".join(
        f"<dt><code>{method} {html.escape(path)}</code></dt><dd>{html.escape(summary)}</dd>"
        for method, path, summary in _operations(document)
    )
    title = html.escape(document["info"]["title"])
    return f'<h1>{title}</h1><p>All of it: <a href="openapi.json">openapi.json</a></p><dl>{rows}</dl>'


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation.get("summary", "")


def rendered(app: FastAPI) -> str:
    return json.dumps(app.openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def stored_by(module: str, path: Path, build: Callable[[], FastAPI]) -> int:
    """The main function of a generator module: writes the document, or with ``--check`` says whether it is stale."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description="Write the stored OpenAPI document.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the stored document is stale")
    text = rendered(build())
    if not parser.parse_args().check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"{path} written")
        return 0
    stale = not path.is_file() or path.read_text(encoding="utf-8") != text
    print(f"{path} is stale: run 'python -m {module}'" if stale else f"{path} is up to date")
    return int(stale)
