"""What `import nexum` offers."""

from __future__ import annotations

import nexum


def test_the_public_names_are_listed_in_order() -> None:
    assert list(nexum.__all__) == sorted(nexum.__all__, key=str.casefold)


def test_every_public_name_is_there() -> None:
    assert [name for name in nexum.__all__ if not hasattr(nexum, name)] == []
