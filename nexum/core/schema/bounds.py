"""Whether the bounds of what is written lie within the bounds of a reader: numbers, strings, lengths."""

from __future__ import annotations

from nexum.core.schema.resolve import Schema
from nexum.core.schema.validate import divides
from nexum.core.schema.verdict import YES, Verdict, no, undecided


def number_bounds(r: Schema, v: Schema, path: str) -> Verdict:
    """Minimum, maximum, their exclusive forms, and multipleOf."""
    for want, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        sign = 1 if want == "minimum" else -1
        for key in (want, exclusive):
            if key in r and not _within(r[key], key == exclusive, v, want, exclusive, sign):
                return no(path, f"may be {'less' if sign > 0 else 'more'} than the reader allows ({key} {r[key]})")
    if "multipleOf" in r and not _multiple(r["multipleOf"], v):
        return no(path, f"may be no multiple of {r['multipleOf']}, which the reader wants")
    return YES


def string_bounds(r: Schema, v: Schema, path: str) -> Verdict:
    """Length, format, pattern. Two different patterns are not compared."""
    verdict = _lengths(r, v, path, ("minLength", "maxLength"), "characters")
    if not verdict.accepted:
        return verdict
    if "format" in r and r["format"] != v.get("format"):
        written = f"the format {v['format']}" if "format" in v else "any string"
        return no(path, f"may be {written}; the reader wants the format {r['format']}")
    if "pattern" in r and r["pattern"] != v.get("pattern"):
        return undecided(path, f"it cannot be told whether all that is written matches {r['pattern']}")
    return YES


def array_bounds(r: Schema, v: Schema, path: str) -> Verdict:
    """The number of elements, and whether they differ."""
    verdict = _lengths(r, v, path, ("minItems", "maxItems"), "elements")
    if verdict.accepted and r.get("uniqueItems") and not v.get("uniqueItems") and v.get("maxItems", 2) > 1:
        return no(path, "may repeat an element; the reader wants each once")
    return verdict


def object_bounds(r: Schema, v: Schema, path: str) -> Verdict:
    """The number of fields, as far as it is declared."""
    own = {**v, "minProperties": max(v.get("minProperties", 0), len(v.get("required", ())))}
    if "properties" in v and "patternProperties" not in v and not v.get("additionalProperties", False):
        own["maxProperties"] = min(v.get("maxProperties", len(v["properties"])), len(v["properties"]))
    return _lengths(r, own, path, ("minProperties", "maxProperties"), "fields")


def _within(bound: float, strict: bool, v: Schema, inclusive: str, exclusive: str, sign: int) -> bool:
    """Whether some bound of `v` keeps it on the right side of the reader's; `sign` -1 turns maxima into minima."""
    if exclusive in v:
        own = v[exclusive]
        if v.get("type") == "integer" and isinstance(own, int) and sign * (own + sign) > sign * bound:
            return True  # more than 0 and whole is at least 1
        if sign * own >= sign * bound:
            return True
        if v.get("type") == "integer" and isinstance(own, int) and not strict and own + sign == bound:
            return True
    if inclusive in v:
        own = v[inclusive]
        return bool(sign * own > sign * bound if strict else sign * own >= sign * bound)
    return False


def _multiple(step: float, v: Schema) -> bool:
    if "multipleOf" in v and divides(step, v["multipleOf"]):
        return True
    return v.get("type") == "integer" and divides(step, 1)


def _lengths(r: Schema, v: Schema, path: str, keys: tuple[str, str], unit: str) -> Verdict:
    low, high = keys
    if v.get(low, 0) < r.get(low, 0):
        return no(path, f"may have fewer than {r[low]} {unit}, which the reader wants at least")
    if high in r and (high not in v or v[high] > r[high]):
        return no(path, f"may have more than {r[high]} {unit}, which the reader allows at most")
    return YES
