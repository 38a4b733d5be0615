"""The compose file runs the services that exist, with settings that exist, within bounds."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from tests.contracts.deployment import ROOT, SERVICES, VARIABLE, blocks, compose, docker, image, text_of

PROFILES = ("observability", "demo")
RUN = ["python", "-m", "services"]
SECONDS = re.compile(r"(\d+)s")
TAG = re.compile(r"[\w./-]+:(?!latest)[\w.-]+")


def test_every_service_has_a_block_of_its_name_and_nothing_else_runs_one() -> None:
    run = {name: block["command"][3:] for name, block in blocks().items() if block.get("command", [])[:3] == RUN}
    assert run == {name: [name] for name in SERVICES}


@pytest.mark.parametrize("name", SERVICES)
class TestEveryService:
    def test_starts_when_its_topics_are_there(self, name: str) -> None:
        assert blocks()[name]["depends_on"]["topics"] == {"condition": "service_completed_successfully"}

    def test_counts_as_healthy_when_it_says_that_it_is_ready(self, name: str) -> None:
        port = blocks()[name]["environment"]["DRIFTLOOP_OPERATIONS_PORT"]
        asked = blocks()[name]["healthcheck"]["test"][-1]
        assert f"/dev/tcp/127.0.0.1/{port}" in asked
        assert "GET /readyz " in asked

    def test_has_longer_to_stop_than_it_takes(self, name: str) -> None:
        block = blocks()[name]
        assert seconds(block["stop_grace_period"]) > int(block["environment"]["DRIFTLOOP_OPERATIONS_GRACE_SECONDS"])

    def test_writes_to_the_shared_blobs_and_to_memory_only(self, name: str) -> None:
        block = blocks()[name]
        assert block["read_only"]
        assert block["volumes"] == [f"blobs:{block['environment']['DRIFTLOOP_BLOBS_FOLDER']}"]
        assert [mount.partition(":")[0] for mount in block["tmpfs"]] == ["/tmp"]

    def test_can_have_replicas(self, name: str) -> None:
        """A fixed name or host port exists once; a door's host port can be made a range."""
        assert "container_name" not in blocks()[name]
        assert all(VARIABLE.search(port) for port in blocks()[name].get("ports", []))


@pytest.mark.parametrize("name", blocks())
class TestEveryContainer:
    def test_is_bounded(self, name: str) -> None:
        block = blocks()[name]
        assert block["mem_limit"]
        assert block["pids_limit"]
        assert block["logging"]["options"].keys() == {"max-size", "max-file"}

    def test_has_no_privilege(self, name: str) -> None:
        assert blocks()[name]["cap_drop"] == ["ALL"]
        assert blocks()[name]["security_opt"] == ["no-new-privileges:true"]

    def test_names_the_version_that_it_runs(self, name: str) -> None:
        assert TAG.fullmatch(image(name))

    def test_is_reached_from_this_machine_only(self, name: str) -> None:
        """None of the doors asks for a password before it is told to."""
        assert all(port.startswith("127.0.0.1:") for port in blocks()[name].get("ports", []))


def test_every_setting_exists() -> None:
    given = {name for block in blocks().values() for name in block.get("environment", {})}
    ours = {name for name in given if name.startswith("DRIFTLOOP_")}
    assert ours <= known_settings()


def test_every_volume_is_used() -> None:
    mounted = {volume.partition(":")[0] for block in blocks().values() for volume in block.get("volumes", [])}
    assert compose()["volumes"].keys() == {volume for volume in mounted if not volume.startswith(".")}


def test_every_variable_is_explained() -> None:
    guide = text_of("docs/how-to/operate.md")
    names = {found["name"] for found in VARIABLE.finditer(text_of("docker-compose.yml"))}
    assert {name for name in names if f"`{name}`" not in guide} == set()


@pytest.mark.parametrize("place", [0, 1])
def test_what_the_guide_tells_to_add_fits(tmp_path: Path, place: int) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", text_of("docs/how-to/operate.md"), re.DOTALL)
    assert len(blocks) == 2
    block = blocks[place]
    added = tmp_path / "override.yml"
    added.write_text(dedent(block))
    docker("compose", "--file=docker-compose.yml", f"--file={added}", "config", "--quiet")
    assert set(re.findall(r"DRIFTLOOP_\w+", block)) <= known_settings()


def test_the_image_runs_as_nobody_in_particular() -> None:
    users = re.findall(r"^USER (.*)$", text_of("infra/Dockerfile"), re.MULTILINE)
    assert users == ["65532:65532"]


@pytest.mark.parametrize("chosen", [(), *[(profile,) for profile in PROFILES], PROFILES], ids="+".join)
def test_compose_accepts_the_file(chosen: tuple[str, ...]) -> None:
    docker("compose", *(f"--profile={profile}" for profile in chosen), "config", "--quiet")


def seconds(text: str) -> int:
    found = SECONDS.fullmatch(text)
    assert found, text
    return int(found[1])


def known_settings() -> set[str]:
    """What the code reads: by its settings classes, and where the command line looks for doors."""
    for path in ("shared/operations/settings.py", *(f"services/{name}/settings.py" for name in SERVICES)):
        if (ROOT / path).exists():
            import_module(path.removesuffix(".py").replace("/", "."))
    doors = re.findall(r'"(DRIFTLOOP_\w*URL)"', text_of("services/cli/running.py"))
    return {*doors, *(variable for kind in subclasses(BaseSettings) for variable in variables_of(kind))}


def subclasses(kind: type[Any]) -> set[type[Any]]:
    return {each for child in kind.__subclasses__() for each in (child, *subclasses(child))}


def variables_of(kind: type[BaseSettings]) -> set[str]:
    prefix = str(kind.model_config.get("env_prefix", ""))
    return {f"{prefix}{name}".upper() for name in kind.model_fields}
