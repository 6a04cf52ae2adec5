"""Which release of Nexum this is; it stands in events, documents and `nexum --version`."""

from __future__ import annotations

__version__ = "0.1.0"
