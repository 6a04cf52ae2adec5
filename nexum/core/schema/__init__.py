"""JSON Schemas as Pydantic writes them: looking into them, holding values against them, comparing two of them.

A schema here is a plain dict: pydantic is not needed, nor the classes of the user. The subset is what Pydantic emits:
object, array, string, integer, number, boolean, null; enum and const; `$defs` and `$ref`, also recursive; anyOf, oneOf
with a discriminator, allOf; bounds, lengths, patterns, formats.

Three questions are answered. `field_at`: what is at `verdict.score`? `problems`: does this value fit, and if not, where
and why not? `accepts`: does every value that this schema describes fit that reader? The last one answers YES, NO or
UNDECIDED; whoever acts on it treats undecided as no, and says so. Two readings matter for it. A *reader* is read as JSON
Schema says. A *written* schema is read as what a model writes: an object with declared properties has no others, unless
`additionalProperties` says so. (By the letter of JSON Schema every model may carry everything, and adding an optional
field would break every reader.)
"""

from __future__ import annotations

from nexum.core.schema.accepts import accepts
from nexum.core.schema.equality import same
from nexum.core.schema.paths import field_at, fields, nearest
from nexum.core.schema.resolve import Schema, SchemaError, alternatives, kinds
from nexum.core.schema.validate import problems
from nexum.core.schema.verdict import Answer, Verdict

__all__ = [
    "Answer",
    "Schema",
    "SchemaError",
    "Verdict",
    "accepts",
    "alternatives",
    "field_at",
    "fields",
    "kinds",
    "nearest",
    "problems",
    "same",
]
