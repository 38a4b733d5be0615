"""The composition root of deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.deployment.core import Deployment
from services.deployment.standings import Put, Standings
from services.deployment.state import DeploymentState
from services.deployment.telemetry import DeploymentTelemetry
from shared.access.stores import Standing, StoreDown
from shared.adapters.redis.read_model import RedisReadModel
from shared.events.topics import LEDGER
from shared.operations.assembly import Clients, cache_of, clients, log_host, worker_part
from shared.operations.metrics import Metrics
from shared.operations.service import Service, turning
from shared.operations.settings import RedisSettings
from shared.runtime.hosts import LogHost
from shared.runtime.partitions import partition_of


def build(metrics: Metrics) -> Service:
    core, using, cache = Deployment(), clients(Deployment.name), cache_of(RedisSettings.load())
    host = log_host(core, using, atomic=False)
    put = _put(RedisReadModel(cache, using.connection.prefix), using, metrics)
    standings = Standings(lambda: _states(host, using), put, using.log.now)
    part = worker_part(core, using, host, DeploymentTelemetry(metrics), extra=(standings.turn,))
    return Service(turning(part), close=cache.close)


def _states(host: LogHost, using: Clients) -> Mapping[str, tuple[int, DeploymentState]]:
    found: dict[str, tuple[int, DeploymentState]] = {}
    for unit in host.units():
        held = host.held(unit)
        if held is not None:
            place = f"{LEDGER.name}/{partition_of(unit.pipeline, None, using.log.partitions(LEDGER.name))}"
            found[unit.pipeline] = held.covered.get(place, 0), held.state
    return found


def _put(model: RedisReadModel, using: Clients, metrics: Metrics) -> Put:
    def put(pipeline: str, offset: int, document: dict[str, Any]) -> bool:
        try:
            model.put(Standing(pipeline, offset, using.log.now(), document))
        except StoreDown:
            metrics.degraded("read model")
            return False
        return True

    return put
