"""A shop for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopfloor import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A folder with two workflows and a migrated database; nothing is deployed."""
    return Shop(tmp_path)


@pytest.fixture
def deployed(shop: Shop) -> Shop:
    """The same, deployed."""
    assert shop.nexum("deploy").code == 0
    return shop
