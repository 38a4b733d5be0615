"""Settings: every field says what it is for, secrets come from files and are never shown, mistakes are named."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.operations.settings import (
    BlobSettings,
    KafkaSettings,
    OperationsSettings,
    RedisSettings,
    Settings,
    SettingsError,
    describe,
)

ROOT = Path(__file__).parents[3]
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/settings.py"))
PASSWORD = "DRIFTLOOP_KAFKA_PASSWORD"


def every_kind() -> Iterator[type[Settings]]:
    for name in ("shared.operations.settings", *(f"services.{service}.settings" for service in SERVICES)):
        for value in vars(import_module(name)).values():
            if isinstance(value, type) and issubclass(value, Settings) and value is not Settings:
                yield value


KINDS = sorted(set(every_kind()), key=lambda kind: kind.__name__)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DRIFTLOOP_SECRETS_DIR", str(tmp_path / "none"))


def test_services_are_found() -> None:
    assert {"ingestion", "prediction", "training"} <= set(SERVICES)
    assert {KafkaSettings, RedisSettings, BlobSettings, OperationsSettings} < set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_has_a_prefix_of_its_own(self, kind: type[Settings]) -> None:
        prefix = kind.model_config["env_prefix"]
        assert prefix.startswith("DRIFTLOOP_")
        assert prefix.endswith("_")
        assert [other for other in KINDS if other.model_config["env_prefix"] == prefix] == [kind]

    def test_says_in_a_sentence_what_each_field_is_for(self, kind: type[Settings]) -> None:
        for name, field in kind.model_fields.items():
            sentence = field.description or ""
            assert sentence[:1].isupper(), name
            assert sentence.endswith((".", "].")), name

    def test_starts_with_nothing_set(self, kind: type[Settings]) -> None:
        assert set(describe(kind.load())) == {
            f"{kind.model_config['env_prefix']}{name.upper()}" for name in kind.model_fields
        }

    def test_keeps_what_sounds_secret_secret(self, kind: type[Settings]) -> None:
        for name, field in kind.model_fields.items():
            if any(word in name for word in ("password", "secret")) or name.endswith(("token", "key")):
                assert "SecretStr" in str(field.annotation), name


def test_a_secret_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "open sesame")
    settings = KafkaSettings.load()
    assert settings.password == SecretStr("open sesame")
    assert describe(settings)[PASSWORD] == "(secret)"
    assert "sesame" not in f"{settings!r} {settings} {describe(settings)}"


def test_a_variable_beats_its_file_and_that_beats_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "driftloop_kafka_password").write_text("from the folder\n")
    (tmp_path / "elsewhere").write_text("from its file\n")
    monkeypatch.setenv("DRIFTLOOP_SECRETS_DIR", str(tmp_path))
    assert KafkaSettings.load().password == SecretStr("from the folder")
    monkeypatch.setenv(f"{PASSWORD}_FILE", str(tmp_path / "elsewhere"))
    assert KafkaSettings.load().password == SecretStr("from its file")
    monkeypatch.setenv(PASSWORD, "from the variable")
    assert KafkaSettings.load().password == SecretStr("from the variable")


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PASSWORD}_FILE", "/nowhere/password")
    with pytest.raises(SettingsError, match=f"{PASSWORD}_FILE: /nowhere/password can't be read"):
        KafkaSettings.load()


def test_all_mistakes_are_told_at_once_with_what_the_variables_are_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_KAFKA_PARTITIONS", "many")
    monkeypatch.setenv("DRIFTLOOP_KAFKA_SECURITY_PROTOCOL", "TLS")
    with pytest.raises(SettingsError) as caught:
        KafkaSettings.load()
    first, second = str(caught.value).split("\n")
    assert first.startswith("DRIFTLOOP_KAFKA_PARTITIONS: ")
    assert "integer" in first
    assert "Partitions of every topic" in first
    assert second.startswith("DRIFTLOOP_KAFKA_SECURITY_PROTOCOL: ")
    assert "SASL_SSL" in second


def test_a_mistake_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_REDIS_URL", "redis://:sesame@localhost")
    with pytest.raises(SettingsError, match="DRIFTLOOP_REDIS_PASSWORD") as caught:
        RedisSettings.load()
    assert "sesame" not in str(caught.value)


def test_a_login_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("DRIFTLOOP_KAFKA_USERNAME", "loop")
    with pytest.raises(SettingsError, match="needs DRIFTLOOP_KAFKA_SASL_MECHANISM and DRIFTLOOP_KAFKA_PASSWORD"):
        KafkaSettings.load()


def test_more_copies_than_there_are_can_not_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLOOP_KAFKA_MIN_INSYNC_REPLICAS", "2")
    with pytest.raises(SettingsError, match="no message could ever be written"):
        KafkaSettings.load()


def test_what_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ingestion = import_module("services.ingestion.settings").IngestionSettings
    monkeypatch.setenv("DRIFTLOOP_INGESTION_PRODUCER_TOPICS", "orders")
    with pytest.raises(SettingsError, match=r"DRIFTLOOP_INGESTION_.*producer_topics.*JSON"):
        ingestion.load()


def test_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD, "")
    monkeypatch.setenv("DRIFTLOOP_KAFKA_PARTITIONS", "")
    settings = KafkaSettings.load()
    assert (settings.password, settings.partitions) == (None, 4)
