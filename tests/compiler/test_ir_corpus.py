"""The conformance set of the graph: any implementation must read these files and give the same bytes and versions.

A file holds a graph, its canonical text and its version. They are never edited: a file whose version changes means that
every run in flight would lose its version.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from nexum.core.canonical import reference_bytes
from nexum.core.graph.workflow import Graph, parse_graph

CORPUS = Path(__file__).parents[1] / "ir_corpus"
SPECIMENS = sorted(CORPUS.glob("*.json"))


@pytest.fixture(params=SPECIMENS, ids=lambda file: file.stem)
def specimen(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request.param.read_text("utf-8"))
    return found


def test_the_corpus_is_complete() -> None:
    assert len(SPECIMENS) == 16


def test_a_graph_is_spelled_and_hashed_as_expected(specimen: dict[str, Any]) -> None:
    graph = parse_graph(json.dumps(specimen["graph"]).encode())

    assert graph.data.decode() == specimen["canonical"]
    assert graph.version == specimen["version"]


def test_the_canonical_text_reads_back_as_the_same_graph(specimen: dict[str, Any]) -> None:
    graph = parse_graph(specimen["canonical"].encode())

    assert graph.data.decode() == specimen["canonical"]


def test_the_version_needs_nothing_but_the_text(specimen: dict[str, Any]) -> None:
    text = reference_bytes(specimen["graph"])

    assert text.decode() == specimen["canonical"]
    assert "sha256:" + hashlib.sha256(b"nexum-ir/1\n" + text).hexdigest() == specimen["version"]


def test_defaults_may_be_written_out(specimen: dict[str, Any]) -> None:
    graph = parse_graph(specimen["canonical"].encode())

    spelled_out = Graph.model_validate(graph.model_dump(mode="json"))

    assert len(json.dumps(graph.model_dump(mode="json"))) > len(specimen["canonical"])
    assert spelled_out.version == specimen["version"]


def test_the_order_of_keys_does_not_matter(specimen: dict[str, Any]) -> None:
    assert Graph.model_validate(_reversed(specimen["graph"])).version == specimen["version"]


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(inner) for key, inner in reversed(value.items())}
    return [_reversed(item) for item in value] if isinstance(value, list) else value
