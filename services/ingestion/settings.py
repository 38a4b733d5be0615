"""What an operator can set of ingestion."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import SettingsConfigDict

from shared.access.bodies import MEGABYTE, Limits
from shared.operations.settings import Settings


class ProducerTopic(BaseModel):
    """A topic that producers write to by themselves: JSON rows, or any format that its content type names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: str
    pipeline: str
    brings: Literal["records", "labels"] = "records"


class IngestionSettings(Settings):
    """Environment: ``DRIFTLOOP_INGESTION_…``."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLOOP_INGESTION_")

    host: str = Field("0.0.0.0", description="Address of the HTTP door.")
    port: int = Field(8080, ge=0, le=65535, description="Its port; 0 takes any that is free.")
    token_file: Path | None = Field(None, description="Who may do what; without it, everybody may do everything.")
    body_bytes: int = Field(16 * MEGABYTE, ge=1024, description="Largest delivery, as sent and unpacked.")
    model_bytes: int = Field(64 * MEGABYTE, ge=1024, description="Largest model that may be uploaded.")
    held_bytes: int = Field(128 * MEGABYTE, ge=1024, description="Bodies of all requests in this process at once.")
    body_seconds: float = Field(30, gt=0, description="Seconds that a body may take to arrive.")
    answer_seconds: float = Field(30, gt=0, description="Seconds that a caller waits for the broker's acknowledgement.")
    idempotency_seconds: int = Field(24 * 3600, ge=1, description="Seconds for which a key's answer is kept.")

    producer_topics: tuple[ProducerTopic, ...] = Field(
        (), description='Topics of producers\' own, as JSON: [{"topic": …, "pipeline": …, "brings": "records"}].'
    )

    @property
    def limits(self) -> Limits:
        return Limits(
            body_bytes=self.body_bytes,
            model_bytes=self.model_bytes,
            held_bytes=self.held_bytes,
            body_seconds=self.body_seconds,
            answer_seconds=self.answer_seconds,
        )
