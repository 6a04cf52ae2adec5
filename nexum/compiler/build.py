"""From a declared workflow to a graph: every check is made, every finding is reported, and only then a graph comes out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from nexum.compiler.acts import same_acts
from nexum.compiler.annotations import Unsupported, adapter_of, name_of, plain, schema_of
from nexum.compiler.binding import Marks, Scope, Signature, bind
from nexum.compiler.checked import Checked, leaves, may_be_skipped, skipped_by_others
from nexum.compiler.conditions import RUN, RUN_SCHEMA, Names, business_key, condition
from nexum.compiler.declared import Declared, Draft
from nexum.compiler.diagnostics import build_error, finding
from nexum.compiler.emit import node_of
from nexum.compiler.fingerprint import why_not
from nexum.compiler.handlers import BoundHandler
from nexum.compiler.names import check_names
from nexum.compiler.options import check_calls, check_options, check_reference
from nexum.compiler.purity import impurities
from nexum.compiler.reconciling import check_reconcile
from nexum.compiler.references import Reference
from nexum.compiler.sources import handler_span, line_span, option_span
from nexum.compiler.subsume import check_accepts
from nexum.compiler.undo import check_undo, points_of_no_return
from nexum.core.expr.build import ref
from nexum.core.graph.nodes import INPUT, Schema
from nexum.core.graph.workflow import Graph
from nexum.errors import BuildError, Diagnostic


@dataclass(frozen=True, slots=True)
class Compiled:
    """A graph, the code behind its nodes, the validator of its input, and what the build warns about."""

    graph: Graph
    handlers: Mapping[str, BoundHandler]
    input: TypeAdapter[Any]
    warnings: tuple[Diagnostic, ...]


def compile_workflow(draft: Draft, marks: Marks) -> Compiled:
    """Compile a declared workflow. Raises `BuildError` with every finding when one of them is an error."""
    compiler = _Compiler(draft, marks)
    compiler.check()
    return compiler.emit()


class _Compiler:
    def __init__(self, draft: Draft, marks: Marks) -> None:
        self._draft = draft
        self._marks = marks
        self._problems: list[Diagnostic] = []
        self._nodes: list[Checked] = []
        self._absent: set[str] = set()
        self._schemas: dict[str, Schema] = {RUN: RUN_SCHEMA}
        self._input: TypeAdapter[Any] | None = None

    def check(self) -> None:
        """Make every check, node by node in order of declaration."""
        self._problems.extend(check_names(self._draft))
        at = line_span(self._draft.place)
        self._problems.extend(finding("NX-B124", message, at) for message in self._draft.problems)
        self._check_input()
        seen: set[str] = set()
        for place, declared in enumerate(self._draft.nodes):
            if declared.id in seen:
                continue  # reported as a duplicate; its first declaration stands
            seen.add(declared.id)
            later = frozenset(node.id for node in self._draft.nodes[place + 1 :]) - seen
            node = self._check_node(declared, later)
            self._problems.extend(skipped_by_others(node, self._absent))
            if may_be_skipped(node, self._absent):
                self._absent.add(node.id)
            self._schemas[node.id] = node.signature.schema
            self._nodes.append(node)
        self._problems.extend(points_of_no_return(self._nodes))
        self._problems.extend(same_acts(self._nodes))

    def emit(self) -> Compiled:
        """The graph, if nothing stands against it."""
        if any(problem.severity == "error" for problem in self._problems):
            raise build_error(self._draft.workflow, self._problems)
        assert self._input is not None
        graph = Graph(
            workflow=self._draft.workflow,
            input=self._schemas[INPUT],
            nodes=tuple(node_of(node) for node in self._nodes),
            result=leaves(self._nodes),
        )
        handlers = {handler.id: handler for node in self._nodes for handler in _handlers(node)}
        return Compiled(graph, handlers, self._input, tuple(self._problems))

    def _check_input(self) -> None:
        try:
            self._input = adapter_of(self._draft.input)
            self._schemas[INPUT] = schema_of(self._input, "validation", prose=True)
        except Unsupported as error:
            message = f"the input of `{self._draft.workflow}` is {name_of(self._draft.input)}, which has no JSON Schema"
            self._problems.append(finding("NX-B108", message, line_span(self._draft.place), why=f"{error}"))
            self._schemas[INPUT] = {}

    def _check_node(self, declared: Declared, later: frozenset[str]) -> Checked:
        problems = self._problems
        problems.extend(check_options(declared))
        outputs = {node.id: node.signature.output for node in self._nodes}
        scope = Scope(self._draft.input, outputs, later, self._marks)
        signature = bind(declared, scope, problems)
        kinds = {INPUT: self._draft.input, **outputs}
        problems.extend(check_accepts(declared, signature, self._schemas, kinds))
        problems.extend(check_reference(declared, signature.schema))
        problems.extend(check_calls(declared, bool(signature.means)))
        if declared.kind == "compute":
            problems.extend(impurities(declared.id, declared.handler))
        reason = why_not(declared.handler)
        if reason:
            message = f"the code of `{declared.id}` cannot be fingerprinted: {reason}"
            problems.append(finding("NX-B125", message, handler_span(declared)))
        sure = Checked(declared, signature).needs  # without these the node is skipped before its expressions are read
        names = Names(self._draft.workflow, dict(self._schemas), frozenset(self._absent - sure), later)
        own = Names(self._draft.workflow, {declared.id: signature.schema}, frozenset(), later)
        return Checked(
            declared,
            signature,
            condition(declared, "when", declared.when, names, problems),
            business_key(declared, declared.key, names, problems),
            condition(declared, "accept", self._accept(declared, signature), own, problems),
            check_reconcile(declared, signature, scope, self._schemas, problems),
            check_undo(declared, signature, self._schemas, kinds, self._marks, problems),
        )

    def _accept(self, declared: Declared, signature: Signature) -> object:
        """`accept=` as it was written, or what a function given there builds from a reference to the output."""
        if not callable(declared.accept):
            return declared.accept
        try:
            built: object = declared.accept(
                Reference(ref(declared.id), signature.output, frozenset({self._draft.workflow}))
            )
        except BuildError as error:
            self._problems.extend(error.diagnostics)
            return None
        except Exception as error:  # noqa: BLE001 (it is the author's own function)
            message = f"`accept=` of `{declared.id}` raised {type(error).__name__}: {error}"
            self._problems.append(finding("NX-B124", message, option_span(declared, "accept")))
            return None
        return built


def _handlers(node: Checked) -> Iterator[BoundHandler]:
    """The code of a node, and of those who act for it: who asks about an effect must answer with its output, who undoes it."""
    assert node.signature.adapter is not None
    yield _handler(node, node.signature.adapter)
    if node.asking is not None:
        yield _handler(node.asking, node.signature.adapter)
    if node.undo is not None:
        yield from _handlers(node.undo)


def _handler(node: Checked, output: TypeAdapter[Any]) -> BoundHandler:
    signature = node.signature
    return BoundHandler(
        id=node.id,
        call=node.declared.handler,
        params={param.name: param.adapter for param in signature.params},
        contexts=signature.contexts,
        means=signature.means,
        output=output,
        is_async=inspect.iscoroutinefunction(plain(node.declared.handler)),
    )
