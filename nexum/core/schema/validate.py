"""A small JSON Schema validator: where a value does not fit, what is there, and what should be.

For checking a run's input at the door without the user's Python classes. Formats are annotations, as JSON Schema 2020-12
has it: the model itself has the last word on a date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import Any, Final, NamedTuple

from nexum.core.schema.equality import same
from nexum.core.schema.paths import nearest
from nexum.core.schema.patterns import matches
from nexum.core.schema.resolve import NEVER, UNSUPPORTED, Schema, SchemaError, as_schema, kind_of, kinds, lookup, rooted
from nexum.core.schema.wording import got, one_of, wanted
from nexum.errors import Problem

MAX_DEPTH: Final = 64  # levels of a value that a schema describes; free-form parts are not descended into
MAX_PROBLEMS: Final = 100
_NAME: Final = re.compile(r"[A-Za-z_]\w*\Z")


def problems(schema: Schema, value: object) -> tuple[Problem, ...]:
    """Everything that is wrong with a value, at most 100 problems; empty if it fits.

    Raises `SchemaError` if the schema itself cannot be used: a broken reference, a keyword that is not supported.
    """
    return tuple(islice(_check(schema, value, _Place("$", schema, {})), MAX_PROBLEMS))


class _Place(NamedTuple):
    """Where we are: the path in the value, the schema that holds the definitions, and what bounds the work."""

    path: str
    root: Schema
    # By schema, value and path: a union is recursive in its branches.
    told: dict[tuple[int, int, str], tuple[Problem, ...]]
    depth: int = 0
    followed: frozenset[str] = frozenset()  # references since the last step down into the value

    def field(self, name: str) -> _Place:
        step = f".{name}" if _NAME.match(name) else f"[{got(name)}]"
        return _Place(self.path + step, self.root, self.told, self.depth + 1)

    def item(self, index: int) -> _Place:
        return _Place(f"{self.path}[{index}]", self.root, self.told, self.depth + 1)


def _check(schema: Schema, value: Any, at: _Place) -> Iterator[Problem]:
    if not schema:
        return
    if at.depth > MAX_DEPTH:
        yield Problem(at.path, "something nested deeper", f"at most {MAX_DEPTH} levels")
        return
    if not isinstance(value, bool | int | float | str | list | dict | None):
        yield Problem(at.path, got(value), "a JSON value")
        return
    if unsupported := UNSUPPORTED & schema.keys():
        raise SchemaError(f"{at.path}: the keyword {min(unsupported)!r} is not supported")
    if "$ref" in schema:
        ref = schema["$ref"]
        if ref in at.followed:
            raise SchemaError(f"{at.path}: the reference {ref!r} leads in a circle")
        yield from _check(lookup(ref, at.root), value, at._replace(followed=at.followed | {ref}))
    for part in schema.get("allOf", ()):
        yield from _check(as_schema(part), value, at)
    if "anyOf" in schema:
        yield from _any_of(schema, value, at)
    if "oneOf" in schema:
        yield from _one_of(schema, value, at)
    if "not" in schema and not _tell(as_schema(schema["not"]), value, at):
        yield Problem(at.path, got(value), "something else")
    if "const" in schema and not same(schema["const"], value):
        yield Problem(at.path, got(value), got(schema["const"]))
        return
    if "enum" in schema and not any(same(one, value) for one in schema["enum"]):
        yield Problem(at.path, got(value), one_of(map(got, schema["enum"])))
        return
    if "type" in schema and not _is_of(schema, value):
        yield Problem(at.path, got(value), wanted({key: schema[key] for key in ("type", "title") if key in schema}))
        return
    match value:
        case bool():
            return
        case int() | float():
            yield from _number(schema, value, at)
        case str():
            yield from _string(schema, value, at)
        case list():
            yield from _array(schema, value, at)
        case dict():
            yield from _object(schema, value, at)


def _tell(branch: Schema, value: object, at: _Place) -> tuple[Problem, ...]:
    """The problems of one branch of a union, found once: without that, nested unions cost 2 to the depth."""
    key = (id(branch), id(value), at.path)
    if key not in at.told:
        at.told[key] = tuple(islice(_check(branch, value, at), MAX_PROBLEMS))
    return at.told[key]


def _is_of(schema: Schema, value: object) -> bool:
    declared = kinds({"type": schema["type"]})
    kind = kind_of(value)
    if kind == "integer":
        return bool(declared & {"integer", "number"})
    if kind == "number" and "integer" in declared:
        return isinstance(value, float) and value.is_integer()  # 1.0 is a whole number in JSON Schema
    return kind in declared


def _any_of(schema: Schema, value: object, at: _Place) -> Iterator[Problem]:
    branches = [as_schema(branch) for branch in schema["anyOf"]]
    told = [_tell(branch, value, at) for branch in branches]
    if all(told):
        yield from _closest(branches, told, value, at)


def _one_of(schema: Schema, value: object, at: _Place) -> Iterator[Problem]:
    branches = [as_schema(branch) for branch in schema["oneOf"]]
    told = [_tell(branch, value, at) for branch in branches]
    fitting = told.count(())
    if fitting > 1:
        yield Problem(at.path, f"{got(value)}, which fits {fitting} of them", f"exactly one of {len(branches)} forms")
    if fitting:
        return
    tag = schema.get("discriminator", {}).get("propertyName")
    mapping = schema.get("discriminator", {}).get("mapping", {})
    if not tag or not isinstance(value, dict):
        yield from _closest(branches, told, value, at)
    elif isinstance(value.get(tag), str) and value[tag] in mapping:
        yield from _tell(lookup(mapping[value[tag]], at.root), value, at)
    else:
        there = got(value[tag]) if tag in value else "nothing"
        yield Problem(at.field(tag).path, there, one_of(map(got, mapping)))


def _closest(branches: list[Schema], told: list[tuple[Problem, ...]], value: object, at: _Place) -> Iterator[Problem]:
    """The problems of the one branch that is of the right kind, else what all the branches want."""
    inside = [some for some in told if all(problem.path != at.path for problem in some)]
    if len(inside) == 1 or len(told) == 1:
        yield from (inside or told)[0]
    else:
        yield Problem(at.path, got(value), wanted(rooted({"anyOf": branches}, at.root)))


def _number(schema: Schema, value: float, at: _Place) -> Iterator[Problem]:
    said = f"{got(value)}"
    if "minimum" in schema and value < schema["minimum"]:
        yield Problem(at.path, said, f"at least {schema['minimum']}")
    if "maximum" in schema and value > schema["maximum"]:
        yield Problem(at.path, said, f"at most {schema['maximum']}")
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield Problem(at.path, said, f"more than {schema['exclusiveMinimum']}")
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield Problem(at.path, said, f"less than {schema['exclusiveMaximum']}")
    if "multipleOf" in schema and not divides(schema["multipleOf"], value):
        yield Problem(at.path, said, f"a multiple of {schema['multipleOf']}")


def divides(step: float, value: float) -> bool:
    """Whether a number is a multiple of another, by their decimal spelling: 0.3 is a multiple of 0.1."""
    return (Fraction(repr(value)) / Fraction(repr(step))).denominator == 1


def _string(schema: Schema, value: str, at: _Place) -> Iterator[Problem]:
    yield from _length(schema, len(value), "minLength", "maxLength", "characters", at)
    if "pattern" in schema and not matches(schema["pattern"], value):
        yield Problem(at.path, got(value), f"a string that matches {schema['pattern']}")


def _array(schema: Schema, value: list[Any], at: _Place) -> Iterator[Problem]:
    yield from _length(schema, len(value), "minItems", "maxItems", "elements", at)
    if schema.get("uniqueItems"):
        yield from _unique(value, at)
    prefix = schema.get("prefixItems", ())
    rest = as_schema(schema.get("items", {}))
    for index, item in enumerate(value):
        yield from _check(as_schema(prefix[index]) if index < len(prefix) else rest, item, at.item(index))


def _unique(value: list[Any], at: _Place) -> Iterator[Problem]:
    level: list[Any] = value
    for _ in range(MAX_DEPTH):
        level = [part for one in level if isinstance(one, list | dict) for part in _parts(one)]
    if level:
        yield Problem(at.path, "something nested deeper", f"at most {MAX_DEPTH} levels")
    elif len(value) != len({_frozen(item) for item in value}):
        yield Problem(at.path, got(value), "a list without repetition")


def _parts(value: list[Any] | dict[str, Any]) -> Iterable[Any]:
    return value if isinstance(value, list) else value.values()


def _frozen(value: object) -> object:
    """A hashable twin; equal exactly where the JSON values are."""
    if isinstance(value, list):
        return ("list", tuple(map(_frozen, value)))
    if isinstance(value, dict):
        return ("dict", frozenset((key, _frozen(one)) for key, one in value.items()))
    return (isinstance(value, bool), value)


def _object(schema: Schema, value: dict[str, Any], at: _Place) -> Iterator[Problem]:
    yield from _length(schema, len(value), "minProperties", "maxProperties", "fields", at)
    declared: dict[str, Any] = schema.get("properties", {})
    patterns: dict[str, Any] = schema.get("patternProperties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield Problem(at.field(name).path, "nothing", wanted(rooted(declared.get(name, {}), at.root)))
    names = as_schema(schema.get("propertyNames", {}))
    rest = as_schema(schema.get("additionalProperties", {}))
    for name, item in value.items():
        inner = at.field(name)
        for problem in _check(names, name, inner):
            yield replace(problem, wanted=f"a field name that is {problem.wanted}")
        parts = [declared[name]] if name in declared else []
        parts += [part for pattern, part in patterns.items() if matches(pattern, name)]
        if parts:
            for part in parts:
                yield from _check(as_schema(part), item, inner)
        elif rest == NEVER:
            yield Problem(inner.path, got(item), _no_such_field(name, declared))
        else:
            yield from _check(rest, item, inner)


def _no_such_field(name: str, declared: dict[str, Any]) -> str:
    near = nearest(name, declared)
    return "no such field" + (f" (did you mean {near}?)" if near else "")


def _length(schema: Schema, length: int, low: str, high: str, unit: str, at: _Place) -> Iterator[Problem]:
    if low in schema and length < schema[low]:
        yield Problem(at.path, f"{length} {unit}", f"at least {schema[low]}")
    if high in schema and length > schema[high]:
        yield Problem(at.path, f"{length} {unit}", f"at most {schema[high]}")
