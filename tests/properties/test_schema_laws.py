"""Laws of schemas, with jsonschema_rs as the judge: an independent implementation in another language."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from nexum.core.schema import Answer, accepts, field_at, fields, problems
from thorough import examples

Schema = dict[str, Any]

LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure

NAMES = ("a", "b", "c", "ab")
TAGS = ("cat", "dog")
DEFS = ("P", "Q")
VALUES = st.sampled_from([None, True, False, 0, 1, 1.0, 2, -3, 2.5, "", "a", "ab", "cat", "dog"])


@st.composite
def bounded(draw: st.DrawFn, base: Schema, options: dict[str, st.SearchStrategy[Any]]) -> Schema:
    chosen = draw(st.lists(st.sampled_from(sorted(options)), unique=True, max_size=2))
    return {**base, **{key: draw(options[key]) for key in chosen}}


SMALL = st.integers(-2, 4)
NUMBER_BOUNDS: dict[str, st.SearchStrategy[Any]] = {
    "minimum": SMALL,
    "maximum": SMALL,
    "exclusiveMinimum": SMALL | st.sampled_from([0.5, 1.5]),
    "exclusiveMaximum": SMALL,
    "multipleOf": st.sampled_from([1, 2, 3, 6, 0.5]),
}
LENGTH = st.integers(0, 3)
PLAIN = st.one_of(
    st.just({}),
    st.just({"type": "null"}),
    st.just({"type": "boolean"}),
    bounded({"type": "integer"}, NUMBER_BOUNDS),
    bounded({"type": "number"}, NUMBER_BOUNDS),
    bounded({"type": "string"}, {"minLength": LENGTH, "maxLength": LENGTH, "pattern": st.sampled_from(["^a", "b$"])}),
    st.builds(lambda value: {"const": value}, VALUES),
    st.builds(lambda values: {"enum": values}, st.lists(VALUES, min_size=1, max_size=3)),
)
LEAVES = PLAIN | st.builds(lambda name: {"$ref": f"#/$defs/{name}"}, st.sampled_from(DEFS))


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    properties = draw(st.dictionaries(st.sampled_from(NAMES), inner, max_size=3))
    schema: Schema = {"type": "object", "properties": properties}
    schema["required"] = draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
    match draw(st.sampled_from(["closed", "false", "true", "typed", "patterned", "named", "counted"])):
        case "false":
            schema["additionalProperties"] = False
        case "true":
            schema["additionalProperties"] = True
        case "typed":
            schema["additionalProperties"] = draw(inner)
        case "patterned":
            schema["patternProperties"] = {draw(st.sampled_from(["^a", "b$"])): draw(inner)}
        case "named":
            schema["additionalProperties"] = draw(inner)
            schema["propertyNames"] = {"enum": draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))}
        case "counted":
            schema |= {"minProperties": draw(LENGTH), "maxProperties": draw(LENGTH)}
    return schema


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    schema: Schema = {"type": "array"}
    if draw(st.booleans()):
        schema["items"] = draw(inner)
    if draw(st.booleans()):
        schema["prefixItems"] = draw(st.lists(inner, min_size=1, max_size=2))
    options: dict[str, st.SearchStrategy[Any]] = {"minItems": LENGTH, "maxItems": LENGTH, "uniqueItems": st.booleans()}
    return draw(bounded(schema, options))


def tagged(branches: list[Schema]) -> Schema:
    """A union with a discriminator, as Pydantic writes it."""
    forms = [
        {
            "type": "object",
            "properties": {"kind": {"const": tag}, "v": branch},
            "required": ["kind", "v"],
        }
        for tag, branch in zip(TAGS, branches, strict=False)
    ]
    return {"oneOf": forms}


def joined() -> st.SearchStrategy[Schema]:
    """Unions and lists of plain schemas: the smallest things that join bounds."""
    return st.one_of(
        st.builds(
            lambda union, some: {union: some},
            st.sampled_from(["anyOf", "oneOf"]),
            st.lists(PLAIN, min_size=2, max_size=2),
        ),
        arrays(PLAIN),
    )


PARTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        objects(inner),
        arrays(inner),
        st.builds(lambda branches: {"anyOf": branches}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(tagged, st.lists(inner, min_size=2, max_size=2)),
        st.builds(lambda one: {"anyOf": [one, {"type": "null"}]}, inner),
    ),
    max_leaves=8,
)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """A schema with two definitions, which may be recursive through a field."""
    cycle = {
        "type": "object",
        "properties": {"v": draw(PLAIN), "next": draw(NEXT)},
        "required": draw(st.sampled_from([["v"], []])),
    }
    plain = draw(PLAIN)
    return {"$defs": {"P": cycle, "Q": plain}, **draw(PARTS)}


NEXT = st.sampled_from(
    [{"anyOf": [{"$ref": "#/$defs/P"}, {"type": "null"}]}, {"$ref": "#/$defs/P"}, {"$ref": "#/$defs/Q"}]
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Schema, Schema]:
    """A reader and a written schema; related more often than chance would have it."""
    written = draw(schemas())
    if draw(st.integers(0, 3)) == 0:
        return draw(schemas()), written
    return widened(draw, written), written


def widened(draw: st.DrawFn, part: Any) -> Any:
    """The same schema with some keywords dropped or changed: often, not always, one that takes more."""
    if isinstance(part, list):
        return [widened(draw, one) for one in part]
    if not isinstance(part, dict):
        return part
    out: Schema = {}
    for key, value in part.items():
        if key in ("required", "enum", "propertyNames"):
            out[key] = value
        elif key in NUMBER_BOUNDS or key.startswith(("min", "max", "unique")):
            if draw(st.booleans()):
                out[key] = value
        elif key in ("$defs", "properties", "patternProperties"):
            out[key] = {name: widened(draw, one) for name, one in value.items()}
        else:
            out[key] = widened(draw, value)
    if out.get("type") == "integer" and draw(st.booleans()):
        out["type"] = "number"
    if out.get("required") and draw(st.booleans()):
        out["required"] = out["required"][1:]
    if isinstance(out.get("type"), str) and "properties" not in out and draw(st.integers(0, 3)) == 0:
        defs = {"$defs": out.pop("$defs")} if "$defs" in out else {}
        out = {**defs, "anyOf": [out, {"type": "null"}]}
    return out


def instances(schema: Schema, root: Schema, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that the schema is likely to allow, read as a model writes: no fields that are not declared."""
    if depth > 4:
        return VALUES
    if "$ref" in schema:
        return instances(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root, depth + 1)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return st.one_of([instances(branch, root, depth + 1) for branch in schema[union]])
    match schema.get("type"):
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(-6, 8)
        case "number":
            return st.integers(-6, 8) | st.sampled_from([0.5, 1.0, 1.5, 2.5, -0.5])
        case "string":
            return st.sampled_from(["", "a", "b", "ab", "aab", "xyz", "cat"])
        case "array":
            return listed(schema, root, depth)
        case "object":
            return held(schema, root, depth)
    return VALUES | st.lists(VALUES, max_size=2) | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=2)


@st.composite
def listed(draw: st.DrawFn, schema: Schema, root: Schema, depth: int) -> list[Any]:
    prefix = schema.get("prefixItems", [])
    size = draw(
        st.integers(min(schema.get("minItems", 0), 3), max(schema.get("minItems", 0), schema.get("maxItems", 3)))
    )
    rest = schema.get("items", {})
    return [draw(instances(prefix[i] if i < len(prefix) else rest, root, depth + 1)) for i in range(size)]


@st.composite
def held(draw: st.DrawFn, schema: Schema, root: Schema, depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, part in schema.get("properties", {}).items():
        if name in schema.get("required", ()) or draw(st.booleans()):
            value[name] = draw(instances(part, root, depth + 1))
    extra = schema.get("additionalProperties", False)
    if extra is not False:
        more = draw(st.lists(st.sampled_from(["a", "b", "c", "ab", "kind", "v", "z"]), max_size=2))
        part = extra if isinstance(extra, dict) else {}
        value |= {
            name: draw(instances(part, root, depth + 1)) for name in more if name not in schema.get("properties", {})
        }
    for pattern, part in schema.get("patternProperties", {}).items():
        if draw(st.booleans()):
            value[{"^a": "az", "b$": "zb"}[pattern]] = draw(instances(part, root, depth + 1))
    return value


def judge(schema: Schema, value: object) -> bool:
    return bool(jsonschema_rs.validator_for(schema).is_valid(value))


@settings(LAW, max_examples=examples(400))
@given(st.data())
def test_what_is_accepted_never_meets_a_refusing_reader(data: st.DataObject) -> None:
    reader, written = data.draw(pairs())
    verdict = accepts(reader, written)
    event(verdict.answer.value)
    if not verdict.accepted:
        assert verdict.path.startswith("$")
        assert verdict.reason
        return
    for value in data.draw(st.lists(instances(written, written), min_size=1, max_size=8)):
        if judge(written, value):
            event("judged")
            assert judge(reader, value), f"{value!r} is written and the reader refuses it"


POOL: list[Any] = [None, True, False, *(half / 2 for half in range(-6, 12)), *range(-3, 7)]
POOL += [
    "",
    "a",
    "b",
    "ab",
    "ba",
    "aab",
    "xyz",
    "cat",
    [],
    [0],
    [1, 1],
    [1, "a"],
    ["a", "b", 2],
    {},
    {"a": 1},
    {"b": None},
]


@settings(LAW, max_examples=examples(400))
@given(PLAIN | joined(), PLAIN | joined())
def test_bounds_and_lists_of_values_are_compared_soundly_over_a_whole_pool(reader: Schema, written: Schema) -> None:
    told = accepts(reader, written)
    refused = [value for value in POOL if judge(written, value) and not judge(reader, value)]
    event(f"{told.answer.value} {'refused' if refused else ''}")
    assert not (told.accepted and refused)
    for schema in (reader, written):
        assert [value for value in POOL if judge(schema, value)] == [
            value for value in POOL if not problems(schema, value)
        ]


@settings(LAW, max_examples=examples(300))
@given(schemas().filter(lambda schema: "patternProperties" not in str(schema)))
def test_no_reader_refuses_what_it_describes_itself(schema: Schema) -> None:
    """With patterns a name may fall under two rules, and the answer is a cautious no."""
    assert accepts(schema, schema).answer is not Answer.NO


@settings(LAW, max_examples=examples(400))
@given(st.data())
def test_a_value_has_problems_exactly_where_the_judge_refuses_it(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    other = data.draw(schemas())
    value = data.draw(st.one_of(instances(schema, schema), instances(other, other), VALUES))
    found = problems(schema, value)
    event("valid" if not found else "invalid")
    assert judge(schema, value) is (not found), found


@settings(LAW, max_examples=examples(200))
@given(schemas())
def test_every_declared_field_is_found_at_its_path(schema: Schema) -> None:
    for name in fields(schema):
        assert field_at(schema, (name,)) is not None
