"""A row of bars without axes: how often something happened, drawn as SVG attributes because styles are not allowed inline."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT, GAP = 5, 28, 1


def draw_spark(counts: Sequence[int], words: str) -> SafeString:
    """The bars, the tallest as high as the picture; `words` say the same for whoever does not see it."""
    most = max(counts, default=0) or 1
    bars = (
        (place * (WIDTH + GAP), HEIGHT - height, WIDTH, height)
        for place, count in enumerate(counts)
        if (height := max(3, round(HEIGHT * count / most)) if count else 1)
    )
    drawn = format_html_join("", '<rect x="{}" y="{}" width="{}" height="{}"/>', bars)
    wide = len(counts) * (WIDTH + GAP) - GAP
    return format_html(
        '<svg class="spark" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">{}</svg>',
        words,
        wide,
        HEIGHT,
        wide,
        HEIGHT,
        drawn,
    )
