"""`Cache`: Redis with a quarter of a second of patience.

Nothing is tried again here.  redis-py by itself sends a command up to ten times more when a reply is lost, so that an
INCR counts twice; and a caller that waits for a cache would better do the work.  After a failure nobody is asked for
a few seconds, or every request would wait out the time-out of a server that is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from time import monotonic
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from shared.access.stores import StoreDown

PATIENCE = 0.25
"""Seconds for a connection, and for a reply."""
REST = 3.0
"""Seconds after a failure in which Redis is not asked."""

Argument = str | bytes | int


class Script:
    """A Lua script. Redis runs it as a whole, so what it compares and what it sets belong together."""

    def __init__(self, cache: Cache, text: str) -> None:
        self._cache = cache
        self._text = text

    def __call__(self, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        # EVAL and not EVALSHA: after a restart the latter would need a second try, and the scripts are short.
        return self._cache.ask("EVAL", self._text, len(keys), *keys, *arguments)


class Cache:
    """One server, from any thread. Raises `StoreDown` whenever there is no reply to be had."""

    def __init__(
        self, url: str, *, password: str | None = None, patience: float = PATIENCE, rest: float = REST
    ) -> None:
        self._redis = Redis.from_url(
            url,
            password=password,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 0),
            # Else the first use of a connection asks the server whether it announces its own maintenance.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            client_name="driftloop",
        )
        self._rest = rest
        self._silent_until = 0.0
        self._lock = Lock()

    def ask(self, command: str, *arguments: Argument) -> Any:
        """Sent once at most."""
        self._wait_for_its_turn()
        try:
            reply = self._redis.execute_command(command, *arguments)  # type: ignore[no-untyped-call]
        except (RedisError, OSError) as error:
            self._silent_until = monotonic() + self._rest
            raise StoreDown(f"Redis did not answer {command}: {type(error).__name__}") from error
        self._silent_until = 0.0
        return reply

    def script(self, text: str) -> Script:
        return Script(self, text)

    def close(self) -> None:
        self._redis.close()

    def _wait_for_its_turn(self) -> None:
        """After the rest one caller tries, and the others go on doing without until it got through."""
        with self._lock:
            now = monotonic()
            if now < self._silent_until:
                raise StoreDown(f"Redis failed within the last {self._rest:g} s and is not asked again yet")
            if self._silent_until:
                self._silent_until = now + self._rest
