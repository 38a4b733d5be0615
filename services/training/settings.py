"""What an operator can set of training."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.operations.settings import Settings


class TrainingSettings(Settings):
    """Environment: ``DRIFTLOOP_TRAINING_…``."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLOOP_TRAINING_")

    parallel_jobs: int = Field(1, ge=1, description="Jobs that run at once in this process; others wait their turn.")
    job_seconds: float = Field(3600, gt=0, description="Seconds after which a job is ended and tried again.")
