"""`RedisReadModel`: how each pipeline stands, in one hash. Whoever folded less of the ledger never wins."""

from __future__ import annotations

import orjson

from shared.access.stores import Standing
from shared.adapters.redis.client import Cache

PUT = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and tonumber(string.match(held, '^(%d+) ')) > tonumber(ARGV[2]) then
    return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
return 1
"""
"""Offsets stay below 2^53, where Lua's numbers are still whole."""


class RedisReadModel:
    """A value is the ledger's offset, a space, and JSON."""

    def __init__(self, cache: Cache, prefix: str) -> None:
        self._cache = cache
        self._put = cache.script(PUT)
        self._hash = f"{prefix}:pipelines"

    def put(self, standing: Standing) -> bool:
        """False where somebody has folded further already. Putting twice is putting once."""
        value = orjson.dumps({"at": standing.at, "document": standing.document})
        return bool(self._put([self._hash], [standing.pipeline, standing.offset, value]))

    def get(self, pipeline: str) -> Standing | None:
        held = self._cache.ask("HGET", self._hash, pipeline)
        return None if held is None else _standing(pipeline, held)

    def list(self) -> tuple[Standing, ...]:
        held: dict[bytes, bytes] = self._cache.ask("HGETALL", self._hash)
        return tuple(_standing(name.decode(), value) for name, value in sorted(held.items()))


def _standing(pipeline: str, held: bytes) -> Standing:
    offset, _, value = held.partition(b" ")
    told = orjson.loads(value)
    return Standing(pipeline, int(offset), told["at"], told["document"])
