"""What makes two attempts one: the request id, derived from the sender's key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote
from uuid import uuid4

from services.ingestion.delivery import idempotency_key
from shared.access.problems import Problem
from shared.events.base import derive_id

HEADER = "Idempotency-Key"
LONGEST = 255
CLOUDEVENT = ("ce-specversion", "ce-type", "ce-source", "ce-id")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who asks for what: one sender's keys mean nothing to another, nor to another pipeline or action."""

    name: str
    pipeline: str
    action: str


@dataclass(frozen=True, slots=True)
class Key:
    """``text`` under which an attempt may be repeated; ``given`` where the sender chose it, and then has a ``place`` in
    the window.

    ``request`` depends on the body too. Without the window a key that comes with another body is another delivery:
    counted twice at worst, but never dropped as a repetition of what it is not.
    """

    text: str
    given: bool
    place: str
    fingerprint: str
    request: str


def key_of(headers: Mapping[str, str], sender: Sender, content_type: str, body: bytes) -> Key:
    """Raises `Problem` for a key, or a CloudEvent's headers, that can't be used."""
    fingerprint = sha256(content_type.encode() + b"\0" + body).hexdigest()
    event = _event(headers)
    given = event or _given(headers)
    text = given or str(uuid4())
    place = derive_id("window", sender.name, sender.pipeline, sender.action, text) if given else ""
    # A CloudEvent's source and id name it wherever it comes in, so the core is handed just them.
    request = event or derive_id("request", sender.name, sender.pipeline, sender.action, text, fingerprint)
    return Key(text, bool(given), place, fingerprint, request)


def _given(headers: Mapping[str, str]) -> str:
    """The header's value; the quotes of a structured field are no part of it."""
    if HEADER not in headers:
        return ""
    text = headers[HEADER].strip()
    text = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if not text or len(text) > LONGEST or not text.isprintable():
        raise Problem(400, "invalid-key", f"{HEADER} has to be 1 to {LONGEST} printable characters, such as a UUID")
    return text


def _event(headers: Mapping[str, str]) -> str:
    """Source and id of a CloudEvent in binary mode, or "". Its values are percent-encoded over HTTP."""
    if not any(name.startswith("ce-") for name in headers) or HEADER in headers:
        return ""
    missing = [name for name in CLOUDEVENT if not headers.get(name)]
    if missing:
        raise Problem(400, "not-a-cloudevent", f"of a CloudEvent's headers there is no {', '.join(missing)}")
    if headers["ce-specversion"] != "1.0":
        raise Problem(400, "not-a-cloudevent", "only CloudEvents of specversion 1.0 are read")
    return idempotency_key({name: unquote(headers[name]) for name in ("ce-source", "ce-id")})
