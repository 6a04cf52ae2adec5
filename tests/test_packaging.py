"""The wheel holds the five packages, whole, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from house import ROOMS, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel that was built just now."""
    target = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = target.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_the_wheel_has_five_packages_and_its_metadata(wheel: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}

    assert {top for top in tops if not top.endswith(".dist-info")} == set(ROOMS)


def test_no_file_of_a_package_was_left_behind(wheel: set[str]) -> None:
    def is_packed(path: Path) -> bool:
        return path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"

    ours = {
        f"{name}/{path.relative_to(room).as_posix()}"
        for name, room in ROOMS.items()
        for path in room.rglob("*")
        if is_packed(path)
    }

    assert len(ours) > 30
    assert ours - wheel == set()


def test_the_wheel_says_that_it_is_typed_and_carries_its_license(wheel: set[str]) -> None:
    assert "nexum/py.typed" in wheel
    assert any(name.endswith("licenses/LICENSE") for name in wheel)
