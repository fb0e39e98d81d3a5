"""What the Dockerfile and the example for compose say is what the program takes; the image itself: see tests.image."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests import image
from tests.conftest import found
from tests.ports import free_port

DOCKERFILE = (image.PROJECT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((image.PROJECT / "docs" / "compose.yaml").read_text())


def settings() -> dict[str, str]:
    """What ENV sets."""
    [words] = [rest for word, rest in image.instructions(DOCKERFILE) if word == "ENV"]
    return dict(part.split("=", 1) for part in shlex.split(words))


@pytest.mark.needs("hadolint")
def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    hadolint = found("hadolint")
    assert hadolint
    run = subprocess.run([hadolint, image.PROJECT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")


def test_what_dockerignore_lets_through_is_enough_for_a_wheel_with_all_it_shares(tmp_path: Path) -> None:
    image.context(tmp_path)
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert not (tmp_path / "tests").exists()


def test_the_user_is_nobody_else_and_owns_the_volume() -> None:
    users = [rest for word, rest in image.instructions(DOCKERFILE) if word == "USER"]
    assert users == ["65532:65532"]
    [volume] = [rest for word, rest in image.instructions(DOCKERFILE) if word == "VOLUME"]
    assert settings()["SMSRECEIPT_STORE"].startswith(f"{volume}/")
    assert f"install --directory --owner=65532 --group=65532 --mode=0700 {volume}" in DOCKERFILE


def test_it_installs_extras_that_there_are() -> None:
    project = tomllib.loads((image.PROJECT / "pyproject.toml").read_text())["project"]
    extras = re.search(r"^ARG EXTRAS=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert extras
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])


def test_its_health_check_succeeds_while_listen_can_take_receipts_and_else_fails(tmp_path: Path) -> None:
    port = free_port()
    check = [word.replace("8080", str(port)) for word in image.command_of("HEALTHCHECK")]
    assert settings()["SMSRECEIPT_LISTEN_BIND"] == "0.0.0.0:8080"

    def healthy() -> bool:
        return subprocess.run([sys.executable, *check[1:]], capture_output=True, check=False).returncode == 0

    assert not healthy()
    environment = {
        **os.environ, "HOME": str(tmp_path), "SMSRECEIPT_STORE": str(tmp_path / "receipts.db"),
        "SMSRECEIPT_LISTEN_BIND": f"127.0.0.1:{port}", "SMSRECEIPT_LISTEN_METRICS_BIND": "off",
    }  # fmt: skip
    command = [sys.executable, "-m", *image.command_of("ENTRYPOINT"), *image.command_of("CMD")]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as listen:
        assert listen.stderr is not None
        for line in listen.stderr:
            if line.startswith("listening on"):
                break
        assert healthy()
        listen.terminate()
    assert listen.returncode == 143


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_the_commands_of_compose_are_commands(name: str) -> None:
    service = COMPOSE["services"][name]
    words = [*image.command_of("ENTRYPOINT"), *service["command"], "--help"]
    assert subprocess.run([sys.executable, "-m", *words], capture_output=True, check=False).returncode == 0
    bound = dict(zip(service["command"], service["command"][1:], strict=False)).get("--metrics-bind")
    assert bound is None or bound in json.dumps(service["healthcheck"]["test"])
