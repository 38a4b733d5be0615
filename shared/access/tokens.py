"""Bearer tokens: who may do what to which pipelines.

The file holds hashes.  A token is 256 random bits, so one round of SHA-256 is enough: there is nothing to guess that
a slow hash would protect.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets  # noqa: TID251 - a token has to be chance, and no core is near
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, Protocol

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

LOGGER = logging.getLogger(__name__)

Scope = Literal["ingest", "predict", "command", "read"]
SCOPES: tuple[Scope, ...] = ("ingest", "predict", "command", "read")
PREFIX = "driftloop_"
"""Begins every token, so that scanners for leaked secrets can know one."""


class AccessError(ValueError):
    """A token file that can't be used: which one, where in it, and how to mend it. Quotes nothing out of it."""


class Grant(BaseModel):
    """What the bearer of one token may do, and to which pipelines: shell patterns such as ``shop-*``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=64)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    pipelines: tuple[str, ...] = ("*",)
    scopes: tuple[Scope, ...] = SCOPES

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes

    def covers(self, pipeline: str) -> bool:
        return any(fnmatchcase(pipeline, pattern) for pattern in self.pipelines)


class Access(Protocol):
    """Who bears a token."""

    def bearer(self, token: str | None) -> Grant | None:
        """None where the token opens nothing, or is missing where one is needed."""


class OpenAccess:
    """Everybody may do everything."""

    def bearer(self, token: str | None) -> Grant | None:  # noqa: ARG002 - nobody is asked
        return Grant(name="anyone", sha256="0" * 64)


class TokenFile:
    """The grants of a file, read again when it changes.

    A change that can't be read leaves the earlier grants in force: a slip of an editor must neither lock everybody
    out nor let anybody in.  Raises `AccessError` if the file can't be used at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _signature(path)
        self._grants = read_grants(path)

    def bearer(self, token: str | None) -> Grant | None:
        self._refresh()
        if not token:
            return None
        given = hashed(token)
        # All are compared, each in constant time: how long it takes says nothing about how near a guess came.
        found = [grant for grant in self._grants if hmac.compare_digest(grant.sha256, given)]
        return found[0] if found else None

    def _refresh(self) -> None:
        seen = _signature(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._grants = read_grants(self._path)
            LOGGER.info("%d tokens read from %s", len(self._grants), self._path)
        except AccessError as error:
            LOGGER.error("tokens stay as they were: %s", error)


def access_of(path: Path | None) -> Access:
    """Tokens from a file, or, without one, no lock at all."""
    if path is not None:
        return TokenFile(path)
    LOGGER.warning("no token file is set: whoever reaches this port may do everything; set one before others can")
    return OpenAccess()


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def issue(name: str, pipelines: tuple[str, ...] = ("*",), scopes: tuple[Scope, ...] = SCOPES) -> tuple[str, Grant]:
    """A new token, to be shown once, and the grant to be added to the file."""
    token = PREFIX + secrets.token_urlsafe(32)
    return token, Grant(name=name, sha256=hashed(token), pipelines=pipelines, scopes=scopes)


def line_of(grant: Grant) -> str:
    """The grant as a line of a JSON-lines file; behind ``- `` it is an entry of a YAML list."""
    return json.dumps(grant.model_dump(mode="json"), ensure_ascii=False)


def read_grants(path: Path) -> tuple[Grant, ...]:
    """A YAML list of grants, or one JSON object per line."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AccessError(
            f"{path}: the token file can't be read ({type(error).__name__}); check path and rights"
        ) from None
    entries = list(_entries(text, path))
    grants = tuple(_grant(entry, place, path) for place, entry in entries)
    names = [grant.name for grant in grants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AccessError(f"{path}: two grants are named {twice[0]!r}; the log could not tell them apart, rename one")
    return grants


def _entries(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    """(place, entry) pairs."""
    try:
        if text.lstrip().startswith("{"):
            lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
            return iter([(f"line {number}", json.loads(line)) for number, line in lines])
        document = yaml.safe_load(text) or []
    except (ValueError, yaml.YAMLError) as error:
        raise AccessError(f"{path}: is neither a YAML list nor JSON lines ({type(error).__name__})") from None
    if not isinstance(document, list):
        raise AccessError(f"{path}: has to be a list of grants, each with name, sha256, pipelines and scopes")
    return ((f"entry {number}", entry) for number, entry in enumerate(document, 1))


def _grant(entry: Any, place: str, path: Path) -> Grant:
    try:
        return Grant.model_validate(entry)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'entry'}: {each['msg']}" for each in error.errors())
        raise AccessError(f"{path}: {place}: {problems}") from None


def _signature(path: Path) -> tuple[int, int, int] | None:
    """Changes when the file does, also by a renamed or re-linked one; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
