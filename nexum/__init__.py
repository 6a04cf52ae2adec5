"""Durable agents for Django shops, on the Celery they already run.

This module only re-exports the public names; `nexum.core` holds the theory of the engine.
"""

__version__ = "0.1.0"
