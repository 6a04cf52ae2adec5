"""What a decorator leaves in the author's module: the function itself, callable as before, and a typed reference to its output."""

from __future__ import annotations

import functools
from typing import Generic, ParamSpec, TypeVar, cast

from nexum.compiler.annotations import UnknownAnnotation
from nexum.compiler.binding import NoPromptError, output_of
from nexum.compiler.declared import Declared
from nexum.compiler.diagnostics import build_error, finding
from nexum.compiler.references import Reference
from nexum.compiler.sources import handler_span
from nexum.core.expr.build import ref
from nexum.errors import BuildError
from nexum.sdk.marks import MARKS

P = ParamSpec("P")
Returned = TypeVar("Returned")
Out = TypeVar("Out")


class Handle(Generic[P, Returned, Out]):
    """A declared node. Call it as the plain function in a unit test; use `.out` to refer to its output."""

    def __init__(self, workflow: str, declared: Declared) -> None:
        self._declared = declared
        self.workflow = workflow
        self.id = declared.id
        functools.update_wrapper(self, declared.handler, updated=())

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Returned:
        """Run the handler itself; no engine takes part."""
        return cast("Returned", self._declared.handler(*args, **kwargs))

    @property
    def out(self) -> Out:
        """The node's output, for conditions and keys: `verdict.out.score >= 80`.

        To the type checker it is the output itself. Raises `BuildError` when the return annotation cannot be resolved.
        """
        declared = self._declared
        try:
            kind = output_of(declared.handler, declared.kind, declared.place.names, MARKS)
        except KeyError:
            raise self._untyped("NX-B107", f"`{self.id}` has no return annotation") from None
        except UnknownAnnotation as error:
            message = f"the return annotation of `{self.id}` cannot be resolved: {error}"
            raise self._untyped("NX-B109", message) from error
        except NoPromptError as error:
            message = f"llm node `{self.id}` returns {error}, not `Prompt[...]`"
            raise self._untyped("NX-B120", message) from error
        return cast("Out", Reference(ref(self.id), kind, frozenset({self.workflow})))

    def __repr__(self) -> str:
        return f"<{self._declared.kind} node {self.workflow}.{self.id}>"

    def _untyped(self, code: str, message: str) -> BuildError:
        return build_error(self.workflow, [finding(code, message, handler_span(self._declared))])
