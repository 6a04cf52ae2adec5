"""Effects that would be one act: what a business key names is the tool and the key, whichever node makes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nexum.compiler.checked import Checked
from nexum.compiler.diagnostics import finding
from nexum.compiler.sources import line_span, option_span
from nexum.core.expr.spell import spell
from nexum.errors import Diagnostic


def same_acts(nodes: Sequence[Checked]) -> Iterator[Diagnostic]:
    """A finding for each effect whose tool and key are those of an effect before it: it would only get that one's result."""
    first: dict[tuple[str, str], Checked] = {}
    for node in nodes:
        if node.declared.kind != "effect" or node.key is None:
            continue
        tool, key = node.declared.tool, spell(node.key)
        other = first.setdefault((tool, key), node)
        if other is not node:
            where = line_span(other.declared.place).line
            message = f"`key=` of `{node.id}` is `{key}` of tool `{tool}`, as that of `{other.id}` at line {where} is"
            fixes = (f"say which act it is: `key='{node.id}:' + ...`", "or name what it touches by another `tool=`")
            yield finding("NX-B153", message, option_span(node.declared, "key"), fixes=fixes)
