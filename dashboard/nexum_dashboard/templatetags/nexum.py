"""Template filters: durations, times, sizes, and which colour and icon a standing or state has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from nexum.core.run.standing import DAY
from nexum.core.run.standing import span as spelt
from nexum.readouts.calendar import moment
from nexum.readouts.document import rfc3339
from nexum_dashboard.graph.spark import draw_spark
from nexum_dashboard.place import chosen

register = template.Library()

# Which colour a thing has, and which icon: never a colour alone.
TONES = {
    "completed": "good",
    "reused": "good",
    "running": "busy",
    "queued": "busy",
    "ready": "busy",
    "repairing": "busy",
    "retrying": "warn",
    "waiting": "warn",
    "closing": "warn",
    "stopping": "warn",
    "in_doubt": "doubt",
    "no_worker": "bad",
    "needs_attention": "bad",
    "parked": "bad",
    "failed": "bad",
    "resolved": "warn",
}
ICONS = {
    "ready": "queued",
    "ended": "pending",
    "stopped": "cancelled",
    "waiting": "retrying",
    "resolved": "completed",
    "needs_attention": "flag",
    "parked": "flag",
}


@register.filter
def tone(code: str) -> str:
    """The colour of a standing, a node's state or an attempt's outcome."""
    return TONES.get(code, "calm")


@register.filter
def icon(code: str) -> str:
    """The icon of a standing, a node's state or an attempt's outcome."""
    return ICONS.get(code, code)


@register.filter
def span(us: int) -> str:
    """A duration in microseconds, as people read it; empty for -1, which means that it has not begun."""
    return "" if us < 0 else spelt(us)


@register.filter
def size(count: int) -> str:
    """A number of bytes, as people read it."""
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.1f} KiB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MiB"


@register.filter
def shortened(version: str) -> str:
    """A version as people see it."""
    return version.removeprefix("sha256:")[:8]


@register.filter
def cut_words(code: str) -> str:
    """`in_doubt` as `in doubt`."""
    return code.replace("_", " ")


@register.filter
def dashed(code: str) -> str:
    """`did_not_happen` as `did-not-happen`, the way it is typed."""
    return code.replace("_", "-")


@register.filter
def cell_node(path: str) -> str:
    """The node that a path belongs to: `verdict/repair.1` belongs to `verdict`."""
    return path.partition("/")[0]


@register.filter
def as_json(value: object) -> str:
    """A JSON value, indented."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def sentence(text: str) -> SafeString:
    """A sentence whose `names` are set as code."""
    parts = enumerate(text.split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if place % 2 else part,) for place, part in parts)
    )


@register.simple_tag
def spark(counts: Sequence[int], us: int) -> SafeString:
    """How often something happened in the time `us`, as bars."""
    return draw_spark(
        counts, f"{sum(counts)} in {spelt(us)}, at most {max(counts, default=0)} in one of {len(counts)} parts of it"
    )


@register.filter
def minus(later: int, earlier: int) -> int:
    """The time between two instants."""
    return later - earlier


@register.simple_tag
def ago(us: int, now: int) -> SafeString:
    """How long ago a time was, below a day, else its date; the exact time in the title."""
    if us <= 0:
        return SafeString("")
    near = 0 <= now - us < DAY
    text = f"{spelt(now - us)} ago" if near else local(us, "%Y-%m-%d %H:%M")
    return format_html('<time datetime="{}" title="{}"{}>{}</time>', rfc3339(us), exact(us), _live(near), text)


@register.simple_tag
def clock(us: int) -> SafeString:
    """A time to the millisecond; the date in the title."""
    if us <= 0:
        return SafeString("")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', rfc3339(us), exact(us), local(us, "%H:%M:%S.%f")[:-3]
    )


def exact(us: int) -> str:
    """A time in the viewer's zone and in UTC."""
    return f"{local(us, '%Y-%m-%d %H:%M:%S %Z')} ({rfc3339(us)})"


def local(us: int, form: str) -> str:
    """A time in the zone of the dashboard, else in Django's."""
    return moment(us, _zone()).strftime(form)


def _live(near: bool) -> SafeString:
    return SafeString(" data-ago" if near else "")


def _zone() -> tzinfo:
    name = chosen().dashboard.time_zone
    return _named(name) if name else timezone.get_current_timezone()


@lru_cache(maxsize=8)
def _named(name: str) -> ZoneInfo:
    return ZoneInfo(name)
