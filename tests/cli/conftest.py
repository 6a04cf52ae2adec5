"""A shop for each test, or one for all tests that only look."""

from __future__ import annotations

from pathlib import Path

import pytest

from shopfloor import Shop

KEY = "order-1042-of-a-customer-with-a-long-name"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A folder with two workflows and a migrated database; nothing is deployed."""
    return Shop(tmp_path)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A deployed shop that others are copied from."""
    made = Shop(tmp_path_factory.mktemp("template"))
    assert made.nexum("deploy").code == 0
    return made


@pytest.fixture
def deployed(shop: Shop, template: Shop) -> Shop:
    """A shop of one's own, deployed."""
    shop.copy_database_of(template)
    return shop


@pytest.fixture(scope="session")
def busy(template: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop with two runs that no worker takes; for tests that change nothing."""
    made = Shop(tmp_path_factory.mktemp("busy"))
    made.copy_database_of(template)
    assert made.nexum("start", "Greeter", "-p", "name=Mika", "-k", KEY).code == 0
    assert made.nexum("start", "Angry", "-p", "name=Mika", "-k", "short").code == 0
    return made
