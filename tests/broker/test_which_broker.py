"""Where the broker's address comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from nexum.broker.connect import broker_url, shop_app
from nexum.errors import ConfigurationError
from nexum.settings import Settings


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with a Celery app and something that is none."""
    name = f"shop_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(
        "from celery import Celery\n"
        "app = Celery('shop', broker='redis://shop:6379/1', set_as_current=False)\n"
        "quiet = Celery('quiet', set_as_current=False)\n"
        "number = 7\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_the_setting_wins_over_the_shop_s_app(shop: str) -> None:
    assert broker_url(Settings(broker="redis://ours", celery_app=f"{shop}:app")) == "redis://ours"
    assert broker_url(Settings(broker="none", celery_app=f"{shop}:app")) == ""
    assert broker_url(Settings(celery_app=f"{shop}:app")) == "redis://shop:6379/1"
    assert broker_url(Settings(celery_app=f"{shop}:quiet")) == ""
    assert broker_url(Settings()) == ""


@pytest.mark.parametrize("name", ["no_such_module:app", "{shop}:nothing", "{shop}:number"])
def test_an_app_that_is_none_is_refused(shop: str, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        shop_app(Settings(celery_app=name.format(shop=shop)))
    assert caught.value.code == "NX-Q207"
