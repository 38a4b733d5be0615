"""The log, its transactions and groups on a Kafka cluster, through kafka-python and around its defects (`clients`)."""

from shared.adapters.kafka.connection import FOREIGN, Connection, Security
from shared.adapters.kafka.groups import KafkaGroups
from shared.adapters.kafka.log import KafkaLog
from shared.adapters.kafka.member import Patience
from shared.adapters.kafka.producer import TransactionalProducer
from shared.adapters.kafka.topics import Layout

__all__ = [
    "FOREIGN",
    "Connection",
    "KafkaGroups",
    "KafkaLog",
    "Layout",
    "Patience",
    "Security",
    "TransactionalProducer",
]
