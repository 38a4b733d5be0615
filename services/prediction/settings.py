"""What an operator can set of prediction."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.access.bodies import MEGABYTE, Limits
from shared.operations.settings import Settings


class PredictionSettings(Settings):
    """Environment: ``DRIFTLOOP_PREDICTION_…``."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLOOP_PREDICTION_")

    host: str = Field("0.0.0.0", description="Address of the HTTP door.")
    port: int = Field(8081, ge=0, le=65535, description="Its port; 0 takes any that is free.")
    token_file: Path | None = Field(None, description="Who may do what; without it, everybody may do everything.")
    threads: int = Field(2, ge=1, description="Requests that are scored at once; the others wait their turn.")
    body_bytes: int = Field(4 * MEGABYTE, ge=1024, description="Largest request, as sent and unpacked.")
    held_bytes: int = Field(64 * MEGABYTE, ge=1024, description="Bodies of all requests in this process at once.")
    body_seconds: float = Field(30, gt=0, description="Seconds that a body may take to arrive.")
    answer_seconds: float = Field(10, gt=0, description="Seconds that a request waits for its turn.")
    offered_bytes: int = Field(
        64 * MEGABYTE, ge=1024, description="Scored rows that may wait for the log; more are lost."
    )

    @property
    def limits(self) -> Limits:
        return Limits(
            body_bytes=self.body_bytes,
            held_bytes=self.held_bytes,
            body_seconds=self.body_seconds,
            answer_seconds=self.answer_seconds,
        )
