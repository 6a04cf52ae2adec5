"""Does a reader accept everything that is written? Subsumption of JSON Schemas, for what Pydantic emits.

YES is a promise: every value of the written schema fits the reader (a property test holds it against an independent
validator). NO names a place where something may be written that the reader refuses. Everything else is UNDECIDED.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from nexum.core.canonical import canonical_bytes
from nexum.core.schema.bounds import array_bounds, number_bounds, object_bounds, string_bounds
from nexum.core.schema.paths import is_open
from nexum.core.schema.patterns import matches
from nexum.core.schema.resolve import (
    NEVER,
    UNSUPPORTED,
    Schema,
    SchemaError,
    as_schema,
    constraints,
    kinds,
    lookup,
    rooted,
)
from nexum.core.schema.validate import problems
from nexum.core.schema.verdict import YES, Answer, Verdict, no, undecided
from nexum.core.schema.wording import wanted

MAX_STEPS: Final = 20_000  # comparisons of two parts; unions inside unions multiply
MAX_NESTING: Final = 100  # comparisons inside comparisons; a level of a model takes up to four
_ENUMERABLE: Final = 64  # a whole number between two bounds this close is taken value by value


def accepts(reader: Schema, value: Schema) -> Verdict:
    """Whether every value that `value` describes fits `reader`.

    `value` is read as what a model writes: an object with declared properties has no others unless
    `additionalProperties` says so. The answer is YES, or NO or UNDECIDED with the path and the reason. A schema that
    cannot be used gives UNDECIDED.
    """
    try:
        return _Comparison(reader, value).run()
    except SchemaError as error:
        return undecided("$", str(error))


class _At(NamedTuple):
    """The path, how many comparisons deep, and the pairs of references followed since the last step down."""

    path: str = "$"
    depth: int = 0
    pending: frozenset[bytes] = frozenset()

    def field(self, name: str) -> _At:
        return _At(f"{self.path}.{name}", self.depth)

    def item(self, index: object) -> _At:
        return _At(f"{self.path}[{index}]", self.depth)


class _Comparison:
    def __init__(self, reader: Schema, value: Schema) -> None:
        self._reader, self._value = reader, value
        self._assumed: dict[bytes, None] = {}  # in the order of assuming
        self._steps = 0

    def run(self) -> Verdict:
        return self._compare(self._reader, self._value, _At())

    def _compare(self, r: Schema, v: Schema, at: _At) -> Verdict:
        self._steps += 1
        if self._steps > MAX_STEPS or at.depth > MAX_NESTING:
            return undecided(at.path, "the schemas are too large to compare")
        at = at._replace(depth=at.depth + 1)
        r, v = constraints(r), constraints(v)
        if not r or v == NEVER:
            return YES
        if r == NEVER:
            return no(at.path, "the reader allows nothing here")
        if unsupported := UNSUPPORTED & r.keys():
            return undecided(at.path, f"the keyword {min(unsupported)!r} of the reader is not understood")
        if "$ref" in r or "$ref" in v:
            return self._follow(r, v, at)
        if (values := _listed(v)) is not None:
            return self._each_value(r, values, v, at)
        for union in ("anyOf", "oneOf"):
            if union in v:
                return self._written_union(r, v, union, at)
        if "allOf" in r:
            return _worst(self._compare(part, v, at) for part in _conjuncts(r))
        if "allOf" in v:
            return self._any_conjunct(r, v, at)
        for union in ("anyOf", "oneOf"):
            if union in r:
                return self._reader_union(r, v, union, at)
        return self._plain(r, v, at)

    def _follow(self, r: Schema, v: Schema, at: _At) -> Verdict:
        """Follow references on both sides. A pair already being compared further up is assumed to hold: values are
        finite, so whatever contradicts it is found at the end of some value."""
        key = canonical_bytes([r, v])
        if key in at.pending:
            return undecided(at.path, "a reference leads in a circle")
        if key in self._assumed:
            return YES
        known = len(self._assumed)
        self._assumed[key] = None
        verdict = self._compare(
            _followed(r, self._reader), _followed(v, self._value), at._replace(pending=at.pending | {key})
        )
        while not verdict.accepted and len(self._assumed) > known:
            self._assumed.popitem()  # what was found meanwhile may rest on the assumption that proved wrong
        return verdict

    def _each_value(self, r: Schema, values: list[Any], v: Schema, at: _At) -> Verdict:
        """A written schema with a known list of values: ask the validator about each."""
        own, reader = rooted(v, self._value), rooted(r, self._reader)
        for one in values:
            if not problems(own, one) and (wrong := problems(reader, one)):
                path = at.path + wrong[0].path.removeprefix("$")
                return no(path, f"may be {wrong[0].got}; the reader wants {wrong[0].wanted}")
        return YES

    def _written_union(self, r: Schema, v: Schema, union: str, at: _At) -> Verdict:
        rest = {key: part for key, part in v.items() if key != union}
        if "properties" in rest:
            return undecided(at.path, "what is written declares fields both beside and inside a union")
        if rest and self._compare(r, rest, at).accepted:
            return YES
        return _worst(self._compare(r, as_schema(branch), at) for branch in v[union])

    def _any_conjunct(self, r: Schema, v: Schema, at: _At) -> Verdict:
        parts = [_followed(part, self._value) for part in _conjuncts(v)]
        objects = sum("object" in kinds(part) and part != NEVER and _judges_objects(part) for part in parts)
        if objects < 2 and any(self._compare(r, part, at).accepted for part in parts):
            return YES
        return undecided(at.path, "what is written is an intersection (allOf)")

    def _reader_union(self, r: Schema, v: Schema, union: str, at: _At) -> Verdict:
        rest = {key: part for key, part in r.items() if key != union}
        if rest and not (verdict := self._compare(rest, v, at)).accepted:
            return verdict
        if len(kinds(v)) > 1:
            return _worst(self._compare(r, {**v, "type": kind}, at) for kind in sorted(kinds(v)))
        branches = [as_schema(branch) for branch in r[union]]
        possible = [branch for branch in branches if not self._apart(branch, v)]
        if not possible:
            return no(at.path, f"may be {wanted(rooted(v, self._value))}; the reader wants {self._wants(r)}")
        told = [self._compare(branch, v, at) for branch in possible]
        accepting = sum(verdict.accepted for verdict in told)
        if union == "oneOf" and accepting and len(possible) > 1:
            return undecided(at.path, "more than one form of the reader may fit, and exactly one must")
        if accepting:
            return YES
        return (
            told[0] if len(told) == 1 else undecided(at.path, "no single form of the reader fits all that is written")
        )

    def _plain(self, r: Schema, v: Schema, at: _At) -> Verdict:
        written = kinds(v)
        if not v and len(kinds(r)) < len(written):
            return no(at.path, f"may be anything; the reader wants {self._wants(r)}")
        if len(written) > 1:
            return _worst(self._compare(r, {**v, "type": kind}, at) for kind in sorted(written))
        if not written:
            return YES
        (kind,) = written
        readable = kinds(r)
        if kind not in readable and not (kind == "integer" and "number" in readable):
            return no(at.path, f"may be {wanted(rooted(v, self._value))}; the reader wants {self._wants(r)}")
        if "enum" in r or "const" in r:
            return no(at.path, f"may be any {kind}; the reader wants {self._wants(r)}")
        if "not" in r:
            return undecided(at.path, "the keyword 'not' of the reader is not understood")
        match kind:
            case "integer" | "number":
                return number_bounds(r, v, at.path)
            case "string":
                return string_bounds(r, v, at.path)
            case "array":
                return self._array(r, v, at)
            case "object":
                return self._object(r, v, at)
        return YES

    def _array(self, r: Schema, v: Schema, at: _At) -> Verdict:
        if not (verdict := array_bounds(r, v, at.path)).accepted:
            return verdict
        longest = v.get("maxItems", len(r.get("prefixItems", ())) + len(v.get("prefixItems", ())) + 1)
        heads = min(longest, max(len(r.get("prefixItems", ())), len(v.get("prefixItems", ()))))
        told = [self._compare(_item(r, index), _item(v, index), at.item(index)) for index in range(heads)]
        if longest > heads:
            told.append(self._compare(_item(r, heads), _item(v, heads), at.item("*")))
        return _worst(told)

    def _object(self, r: Schema, v: Schema, at: _At) -> Verdict:
        if not (verdict := object_bounds(r, v, at.path)).accepted:
            return verdict
        always = v.get("required", ())
        undeclared = {name: v.get("additionalProperties", {}) for name in always}
        written = {**undeclared, **v.get("properties", {})}
        told = [self._field(r, name, part, at) for name, part in written.items()]
        for name in r.get("required", ()):
            if name not in always:
                there = "may be missing" if name in written or is_open(v) else "is never written"
                told.append(no(at.field(name).path, f"{there}; the reader requires it"))
        told += [self._names(r, v, at)] if "propertyNames" in r else []
        for pattern, part in v.get("patternProperties", {}).items():
            told.append(self._unnamed(r, as_schema(part), at, pattern))
        if is_open(v):
            told.append(self._unnamed(r, as_schema(v.get("additionalProperties", {})), at, None))
            rest = as_schema(v.get("additionalProperties", {}))
            told += [self._field(r, name, rest, at) for name in r.get("properties", {}) if name not in written]
        return _worst(told)

    def _field(self, r: Schema, name: str, part: object, at: _At) -> Verdict:
        """A field that may be written, against everything that the reader says about a field of that name."""
        v = as_schema(part)
        wants = [r["properties"][name]] if name in r.get("properties", {}) else []
        wants += [one for pattern, one in r.get("patternProperties", {}).items() if matches(pattern, name)]
        if not wants and as_schema(r.get("additionalProperties", {})) == NEVER:
            return YES if v == NEVER else no(at.field(name).path, "may be written; the reader allows no such field")
        wants = wants or [r.get("additionalProperties", {})]
        return _worst(self._compare(as_schema(want), v, at.field(name)) for want in wants)

    def _unnamed(self, r: Schema, part: Schema, at: _At, pattern: str | None) -> Verdict:
        """Fields whose names are not known beforehand: the reader must take them under whatever rule may apply."""
        if as_schema(r.get("additionalProperties", {})) == NEVER and pattern not in r.get("patternProperties", {}):
            return no(at.path, "may hold fields of any name; the reader allows only its own")
        rules = [r.get("additionalProperties", {})] if pattern not in r.get("patternProperties", {}) else []
        rules += r.get("patternProperties", {}).values()
        if pattern is not None:
            rules += [one for name, one in r.get("properties", {}).items() if matches(pattern, name)]
        return _worst(self._compare(as_schema(rule), part, at.item("*")) for rule in rules)

    def _names(self, r: Schema, v: Schema, at: _At) -> Verdict:
        rule = as_schema(r["propertyNames"])
        known = self._each_value(rule, list(v.get("properties", {})), as_schema(v.get("propertyNames", {})), at)
        if not is_open(v) and "patternProperties" not in v:
            return known
        names = {"type": "string", **as_schema(v.get("propertyNames", {}))}
        return _worst([known, self._compare(rule, names, at)])

    def _apart(self, r: Schema, v: Schema) -> bool:
        """Whether nothing that is written can fit this branch: other kinds, or a tag with other values."""
        r, v = _followed(r, self._reader), _followed(v, self._value)
        if any(union in one for union in ("anyOf", "oneOf", "allOf") for one in (r, v)):
            return False
        read, written = kinds(r), kinds(v)
        if not read & written and not (read & {"integer", "number"} and written & {"integer", "number"}):
            return True
        if written != {"object"} or read != {"object"}:
            return False
        shared = set(r.get("properties", {})) & set(v.get("required", ()))
        return any(
            self._values_apart(as_schema(r["properties"][name]), as_schema(v.get("properties", {}).get(name, {})))
            for name in shared
        )

    def _values_apart(self, r: Schema, v: Schema) -> bool:
        values = _listed(_followed(v, self._value)) or []
        return bool(values) and all(problems(rooted(r, self._reader), one) for one in values)

    def _wants(self, r: Schema) -> str:
        return wanted(rooted(r, self._reader))


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The first NO, else the first UNDECIDED, else YES."""
    result = YES
    for verdict in verdicts:
        if verdict.answer is Answer.NO:
            return verdict
        if result.accepted:
            result = verdict
    return result


def _followed(schema: Schema, root: Schema) -> Schema:
    """A schema without its leading references; keywords beside one count too."""
    seen: set[str] = set()
    while "$ref" in schema:
        ref = schema["$ref"]
        if ref in seen:
            raise SchemaError(f"the reference {ref!r} leads in a circle")
        seen.add(ref)
        beside = {key: part for key, part in constraints(schema).items() if key != "$ref"}
        target = constraints(lookup(ref, root))
        schema = {"allOf": [target, beside]} if beside else target
    return schema


def _conjuncts(schema: Schema) -> list[Schema]:
    rest = {key: part for key, part in schema.items() if key != "allOf"}
    return [*map(as_schema, schema["allOf"]), *([rest] if rest else [])]


def _judges_objects(schema: Schema) -> bool:
    """Whether a conjunct may declare fields: two of them declare the fields of one object together."""
    return bool({"properties", "anyOf", "oneOf", "allOf"} & schema.keys())


def _listed(schema: Schema) -> list[Any] | None:
    """The values of a written schema that has few enough to list; None otherwise."""
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return list(schema["enum"])
    if any(union in schema for union in ("anyOf", "oneOf", "allOf")):
        return None
    match schema.get("type"):
        case "null":
            return [None]
        case "boolean":
            return [False, True]
        case "integer" if {"minimum", "maximum"} <= schema.keys():
            low, high = schema["minimum"], schema["maximum"]
            if isinstance(low, int) and isinstance(high, int) and high - low < _ENUMERABLE:
                return list(range(low, high + 1))
    return None


def _item(schema: Schema, index: int) -> Schema:
    prefix = schema.get("prefixItems", ())
    return as_schema(prefix[index] if index < len(prefix) else schema.get("items", {}))
