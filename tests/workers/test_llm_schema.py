"""The schema that a provider is asked to force."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from nexum_workers.models.schema import strict_schema


class Line(BaseModel):
    title: str
    amount: int = 0


class Verdict(BaseModel):
    refund: bool
    score: int = Field(ge=0, le=100)
    note: str | None = None
    lines: list[Line] = []


class Open(BaseModel):
    extra: dict[str, int]


def objects(node: Any) -> list[dict[str, Any]]:
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    own = [node] if isinstance(node, dict) and node.get("type") == "object" else []
    return own + [found for child in below for found in objects(child)]


def test_every_object_is_closed_and_every_property_asked_for() -> None:
    schema, strict = strict_schema(Verdict.model_json_schema())

    assert strict
    assert len(objects(schema)) == 2
    for found in objects(schema):
        assert found["additionalProperties"] is False
        assert found["required"] == list(found["properties"])
        assert not any("default" in spec for spec in found["properties"].values())


def test_a_field_called_title_or_default_is_kept() -> None:
    schema, _ = strict_schema(Line.model_json_schema())
    assert list(schema["properties"]) == ["title", "amount"]


def test_the_bounds_of_numbers_are_kept() -> None:
    schema, _ = strict_schema(Verdict.model_json_schema())
    assert (schema["properties"]["score"]["minimum"], schema["properties"]["score"]["maximum"]) == (0, 100)


def test_free_keys_and_values_that_are_no_object_are_guidance_only() -> None:
    assert strict_schema(Open.model_json_schema()) == (Open.model_json_schema(), False)
    assert strict_schema({"type": "array", "items": {"type": "string"}})[1] is False


def test_the_given_schema_is_not_changed() -> None:
    given = Verdict.model_json_schema()
    strict_schema(given)
    assert given == Verdict.model_json_schema()
