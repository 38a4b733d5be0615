"""What a producer imports: ``from driftloop import Client``."""

from services.cli.client import Batching, Client, ClientError, Refused, Report, Retrying, Undelivered, Unsendable

__all__ = ["Batching", "Client", "ClientError", "Refused", "Report", "Retrying", "Undelivered", "Unsendable"]
