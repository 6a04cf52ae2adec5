"""What can be said of the image without a Docker daemon: its files exist, its commands are ours, it publishes on loopback."""

from __future__ import annotations

import json
import re

from house import ROOT
from nexum.cli.main import COMMANDS
from shopproject import SHOP

DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text("utf-8")
COMPOSE = (ROOT / "docker" / "compose.yml").read_text("utf-8")
ENTRYPOINTS = [json.loads(found) for found in re.findall(r"entrypoint: (\[.*\])", COMPOSE)]


def test_the_image_copies_what_the_package_is_made_of() -> None:
    copied = {word for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()}

    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert {
        "nexum",
        "orchestrator",
        "workers",
        "dashboard",
        "migrations",
        "pyproject.toml",
        "constraints.txt",
    } <= copied


def test_the_commands_of_the_composition_are_ours_or_the_shop_s() -> None:
    words = [" ".join(entrypoint) for entrypoint in ENTRYPOINTS]
    named = [name for line in words for name in re.findall(r"manage\.py nexum (\w+)", line)]

    assert sorted(named) == ["deploy", "scheduler", "worker"]
    assert set(named) <= set(COMMANDS)
    assert (SHOP / "manage.py").exists()
    assert (ROOT / "nexum" / "testing" / "fakes" / "fakepay.py").exists()


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = re.findall(r'ports: \["(.*?)"\]', COMPOSE)

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
