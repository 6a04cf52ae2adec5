"""One module for each management command."""

from __future__ import annotations
