"""Fixtures of the tests that run against real servers."""

from __future__ import annotations

from tests.integration.broker import broker, own_broker

__all__ = ["broker", "own_broker"]
