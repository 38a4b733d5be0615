"""The producer's side: send records and labels, apply files, give commands, ask models and look how things stand.

::

    with Client("http://localhost:8080") as client:
        client.send("bottling-plant", rows)
"""

from services.cli.client.answers import ClientError, Prediction, Refused, Report, Sent, Undelivered, Unsendable
from services.cli.client.client import Client
from services.cli.client.doors import Doors
from services.cli.client.policies import Batching, Retrying

__all__ = [
    "Batching",
    "Client",
    "ClientError",
    "Doors",
    "Prediction",
    "Refused",
    "Report",
    "Retrying",
    "Sent",
    "Undelivered",
    "Unsendable",
]
