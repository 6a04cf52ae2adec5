"""Graphs by version, read from the registry once per process and checked against their name."""

from __future__ import annotations

from functools import lru_cache

from pydantic import ValidationError

from nexum.core.graph.workflow import Graph, parse_graph
from nexum.core.run.plan import Plan, plan_of
from nexum.errors import InternalError
from nexum.store.api import Store


class Graphs:
    """The plans of registered versions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._plans: dict[tuple[str, str], Plan] = {}

    def plan(self, workflow: str, version: str) -> Plan:
        """The plan of one version. Raises `InternalError` NX-R405 (missing) or NX-S101 (does not hash to its name)."""
        found = self._plans.get((workflow, version))
        if found is None:
            row = self._store.version(workflow, version)
            if row is None:
                raise InternalError(
                    f"version {version} of {workflow} is not in the registry", code="NX-R405", where=workflow
                )
            found = self._plans[workflow, version] = plan_of(read_graph(row.graph, version))
        return found


@lru_cache(maxsize=256)
def read_graph(data: bytes, version: str) -> Graph:
    """Parse stored graph bytes and check that they hash to their name; the same bytes give the same graph object.

    Raises `InternalError` NX-S101 when they cannot be read, or are not what their name says.
    """
    try:
        graph = parse_graph(data)
    except ValidationError as error:
        raise InternalError(f"the stored graph {version} cannot be read: {error}", code="NX-S101") from error
    if graph.version != version:
        raise InternalError(f"the stored graph {version} hashes to {graph.version}", code="NX-S101")
    return graph
