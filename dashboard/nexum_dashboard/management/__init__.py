"""Django management of the dashboard: one command, `nexum`, which is the whole command line."""

from __future__ import annotations
