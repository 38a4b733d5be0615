"""Kafka's log, transactions and groups, and a blob store, inside one process. It ships, and it is the test fake."""

from shared.adapters.memory.blobs import MemoryBlobs
from shared.adapters.memory.groups import MemoryGroups
from shared.adapters.memory.log import MemoryLog
from shared.adapters.memory.partition import TopicSettings

__all__ = ["MemoryBlobs", "MemoryGroups", "MemoryLog", "TopicSettings"]
