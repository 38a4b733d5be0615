"""What an operator can set, one frozen object per concern: from the environment, or from secret files.

A value comes from ``DRIFTLOOP_<CONCERN>_<FIELD>``; else from the file that ``DRIFTLOOP_<CONCERN>_<FIELD>_FILE`` names;
else from a file called ``driftloop_<concern>_<field>`` in the secrets folder (``DRIFTLOOP_SECRETS_DIR``,
``/run/secrets`` by default); else it is the default.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError as UnreadableValue

SECRETS = "/run/secrets"
SECRETS_DIR = "DRIFTLOOP_SECRETS_DIR"


class SettingsError(ValueError):
    """A value that can't be used: which variable, what is wrong, what it is for. It never quotes the value."""


class Settings(BaseSettings):
    """Common to all. What is set to nothing counts as not set."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    @classmethod
    def load(cls) -> Self:
        """Raises `SettingsError` with a line per variable."""
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError("\n".join(_told(cls, each) for each in error.errors(include_input=False))) from None
        except UnreadableValue as error:
            raise SettingsError(f"{_prefix(cls)}…: {error}: it has to be JSON") from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """No ``.env`` of whatever folder a process happens to start in."""
        folder = Path(os.environ.get(SECRETS_DIR, SECRETS))
        secrets = SecretsSettingsSource(settings_cls, secrets_dir=folder if folder.is_dir() else None)
        return init_settings, env_settings, _Files(settings_cls), secrets


class _Files(PydanticBaseSettingsSource):
    """``<VARIABLE>_FILE``: the convention of container images, for those who mount secrets elsewhere."""

    def __call__(self) -> dict[str, Any]:
        return dict(self._found())

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """The library asks for it; `__call__` does without."""
        return None, field_name, False

    def _found(self) -> Iterator[tuple[str, str]]:
        for name in self.settings_cls.model_fields:
            variable = f"{_variable(self.settings_cls, name)}_FILE"
            if path := os.environ.get(variable):
                yield name, _read(variable, path)


def _read(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable}: {path} can't be read as text ({type(error).__name__})") from None


def _prefix(kind: type[BaseSettings]) -> str:
    return str(kind.model_config.get("env_prefix", ""))


def _variable(kind: type[BaseSettings], name: str) -> str:
    return f"{_prefix(kind)}{name}".upper()


def _told(kind: type[BaseSettings], error: ErrorDetails) -> str:
    """Pydantic's words are about the type; the field's sentence says what it is for."""
    wrong = error["msg"].removeprefix("Value error, ")
    name = str(error["loc"][0]) if error["loc"] else ""
    if name not in kind.model_fields:
        return wrong
    return f"{_variable(kind, name)}: {wrong} ({kind.model_fields[name].description})"


Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class KafkaSettings(Settings):
    """The cluster that everything is said over."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLOOP_KAFKA_")

    bootstrap: str = Field(
        "localhost:9092",
        pattern=r"^[^\s,]+:\d+(,[^\s,]+:\d+)*$",
        description="Brokers to begin with: host:port, separated by commas.",
    )
    prefix: str = Field(
        "driftloop", pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$", description="What all our names begin with."
    )
    partitions: int = Field(4, ge=1, description="Partitions of every topic; they can never be changed.")
    replication_factor: int = Field(1, ge=1, description="Copies of every message.")
    min_insync_replicas: int = Field(1, ge=1, description="Copies that must exist before a message counts as written.")
    unit_seconds: float = Field(300, gt=0, description="Seconds that one unit of work may take (max.poll.interval).")
    session_seconds: float = Field(30, gt=0, description="Seconds after which a silent member loses its partitions.")
    security_protocol: Protocol = Field("PLAINTEXT", description="How the brokers are spoken to.")
    sasl_mechanism: Mechanism | None = Field(None, description="How we say who we are, where the protocol is SASL's.")
    username: str | None = Field(None, description="Name for SASL.")
    password: SecretStr | None = Field(None, description="Password for SASL.")
    ca_file: str | None = Field(None, description="PEM certificates to trust; the system's where it is not set.")

    @model_validator(mode="after")
    def _says_who_we_are(self) -> Self:
        needed = {"sasl_mechanism": self.sasl_mechanism, "username": self.username, "password": self.password}
        missing = [_variable(type(self), name) for name, value in needed.items() if value is None]
        if self.security_protocol.startswith("SASL") and missing:
            protocol = _variable(type(self), "security_protocol")
            raise ValueError(f"{protocol} is {self.security_protocol}, which also needs {' and '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _can_be_in_sync(self) -> Self:
        if self.min_insync_replicas > self.replication_factor:
            least, copies = _variable(type(self), "min_insync_replicas"), _variable(type(self), "replication_factor")
            raise ValueError(f"{least} is above {copies}: no message could ever be written")
        return self


class RedisSettings(Settings):
    """The cache behind idempotency keys and status; everything goes on without it."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLOOP_REDIS_")

    url: str = Field(
        "redis://localhost:6379/0",
        pattern="^(redis|rediss|unix)://",
        description="Where it is, without a password.",
    )
    password: SecretStr | None = Field(None, description="Password, where it asks for one.")
    timeout_ms: int = Field(250, ge=1, description="Milliseconds to wait for an answer before going on without it.")

    @field_validator("url")
    @classmethod
    def _holds_no_password(cls, url: str) -> str:
        """The address is shown by `describe` and in errors."""
        if "@" in url and urlsplit(url).password is not None:
            raise ValueError(f"it holds a password; that belongs into {_variable(cls, 'password')}, or into a file")
        return url


class BlobSettings(Settings):
    """Where models, pipeline files, baselines and data sets are kept."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLOOP_BLOBS_")

    folder: Path = Field(Path("/var/lib/driftloop/blobs"), description="A folder that all services share.")


class OperationsSettings(Settings):
    """How a service process is watched and stopped."""

    model_config = SettingsConfigDict(env_prefix="DRIFTLOOP_OPERATIONS_")

    host: str = Field("0.0.0.0", description="Address of /livez, /readyz and /metrics.")
    port: int = Field(9464, ge=0, le=65535, description="Their port; 0 takes any that is free.")
    grace_seconds: float = Field(20, gt=0, description="Seconds from the signal to stop until the process is ended.")
    stall_seconds: float = Field(120, gt=0, description="Seconds without progress after which the process ends itself.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="What is worth a log line.")


def describe(settings: Settings) -> dict[str, str]:
    """Variable -> value, secrets blanked out: what may be shown to anyone."""
    kind = type(settings)
    return {_variable(kind, name): _shown(getattr(settings, name)) for name in kind.model_fields}


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "(secret)"
    return "(not set)" if value is None else str(value)
