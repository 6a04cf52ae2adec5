"""JSON that somebody typed or cut short: refused with the place, whatever it ends in."""

from __future__ import annotations

import pytest

from nexum.client.json_text import parse_json
from nexum.errors import InputError


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"id":\n', "line 2, column 1: the text ends there"),
        ('{"id":', "line 1, column 7: the text ends there"),
        ('{"id":\r\n\r\n', "line 3, column 1: the text ends there"),
        ("", "line 1, column 1: the text ends there"),
        ("\n\n", "line 3, column 1: the text ends there"),
        ('{"id": "\u2028",\n"x": y}', "line 2, column 6: '\"x\": y}'"),
        ('{\n"id": x}\n', "line 2, column 7: '\"id\": x}'"),
        ("[1,]", "line 1, column 4: '[1,]'"),
    ],
)
def test_the_place_of_what_is_wrong_is_said(text: str, place: str) -> None:
    with pytest.raises(InputError) as error:
        parse_json(text, "cut.json")

    assert error.value.code == "NX-F112"
    assert error.value.message.startswith("cut.json is not JSON: ")
    assert place in error.value.message
