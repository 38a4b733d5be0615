"""`IdempotencyWindow`: the answers of the last day's idempotency keys, one Redis string each."""

from __future__ import annotations

from shared.access.stores import Earlier, OtherBody
from shared.adapters.redis.client import Cache

DAY = 24 * 60 * 60
LARGEST = 256 << 10
"""Bytes of an answer that are kept. A larger one is earned anew: the ids make that harmless."""

BEGIN = """
local held = redis.call('GET', KEYS[1])
if not held then
    redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
return held
"""
KEEP = """
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, #ARGV[1]) == ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'EX', ARGV[3])
end
"""
FORGET = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1])
end
"""


class IdempotencyWindow:
    """A value is the body's fingerprint, and behind it, once there is one, the answer: status, space, body.

    Each script leaves things alike when it runs twice, so a lost reply is nothing to worry about.
    """

    def __init__(self, cache: Cache, prefix: str, *, seconds: int = DAY, largest: int = LARGEST) -> None:
        self._begin = cache.script(BEGIN)
        self._keep = cache.script(KEEP)
        self._forget = cache.script(FORGET)
        self._prefix = prefix
        self._seconds = seconds
        self._largest = largest

    def begin(self, key: str, fingerprint: str) -> Earlier | None:
        held = self._begin([self._place(key)], [fingerprint, self._seconds])
        if held is None:
            return None
        known, answer = held[: len(fingerprint)], held[len(fingerprint) :]
        if known != fingerprint.encode():
            raise OtherBody(f"key {key} came before with another body")
        if not answer:
            return None
        status, _, body = answer.partition(b" ")
        return Earlier(int(status), body)

    def keep(self, key: str, fingerprint: str, answer: Earlier) -> None:
        if len(answer.body) <= self._largest:
            kept = b"%d %s" % (answer.status, answer.body)
            self._keep([self._place(key)], [fingerprint, kept, self._seconds])

    def forget(self, key: str, fingerprint: str) -> None:
        """An answer that another attempt earned meanwhile stays."""
        self._forget([self._place(key)], [fingerprint])

    def _place(self, key: str) -> str:
        return f"{self._prefix}:answer:{key}"
