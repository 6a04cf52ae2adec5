"""A version of a workflow together with the code that executes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from nexum.compiler.build import Compiled
from nexum.compiler.handlers import BoundHandler, spell
from nexum.core.canonical import Json, NotCanonicalError, from_bytes
from nexum.core.graph.workflow import Graph
from nexum.errors import Diagnostic, InputError, Problem
from nexum.errors.misfits import got, problems_of, reason_of, told

if TYPE_CHECKING:  # the client brings the store's libraries along; building and executing need neither
    from nexum.client.connect import Connection
    from nexum.client.runs import RunHandle

In = TypeVar("In")


class CompiledWorkflow(Generic[In]):
    """What `build()` gives: a graph, its version, and the handlers behind its nodes. It never changes.

    `graph` is the data, `handlers` the code by node id, `input` validates a run's input, `warnings` are the findings of
    the build that are no errors, `label` is for people.
    """

    def __init__(self, compiled: Compiled, label: str = "") -> None:
        self.graph: Graph = compiled.graph
        self.handlers: dict[str, BoundHandler] = dict(compiled.handlers)
        self.input: TypeAdapter[In] = compiled.input
        self.warnings: tuple[Diagnostic, ...] = compiled.warnings
        self.label = label

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self.graph.workflow

    @property
    def version(self) -> str:
        """`sha256:` of the canonical form of the graph."""
        return self.graph.version

    def start(
        self,
        input: In,  # noqa: A002 (the word of the domain)
        *,
        run_key: str = "",
        subject: object = "",
        tenant: str = "",
        priority: int = 0,
        trace: str = "",
        actor: str = "",
        connection: Connection | None = None,
    ) -> RunHandle:
        """Start a run, or find the one that `run_key` names; inside `transaction.atomic()` it is part of that transaction.

        `subject` is what the run is about: a Django model instance, or `app.Model:pk`. `priority` is -9 to 9, lower runs
        first; `trace` is a W3C traceparent, `actor` who starts it. `connection` replaces the process's own. Raises
        `InputError` when the input does not fit, `ConflictError` when the key was used with another input, `NexumError`
        NX-D201 when no version is registered, `UnavailableError` when the database does not answer.
        """
        from nexum.client.connect import connect
        from nexum.client.runs import RunHandle
        from nexum.client.start import StartRequest, subject_name

        here = connection or connect()
        request = StartRequest(
            workflow=self.name,
            input=self.input_json(input),
            run_key=run_key,
            subject=subject_name(subject),
            tenant=tenant or here.settings.tenant,
            trace=trace,
            actor=actor,
            priority=priority,
        )
        started = here.start(request)
        return RunHandle(started.run_id, here, started.existing)

    def input_json(self, value: In) -> Json:
        """An input as the JSON value that is sent: checked, under its JSON names. Raises `InputError` NX-R101 or NX-R102."""
        try:
            return from_bytes(spell(self.input, value))
        except ValidationError as error:
            misfit = f"the input does not fit {self.name}: {told(error)}"
            raise InputError(misfit, problems=problems_of(error)) from error
        except NotCanonicalError as error:
            raise self._unstorable(error.path, error.why) from error
        except PydanticSerializationError as error:
            raise self._changed(value, error) from error

    def _changed(self, value: In, error: ValueError) -> InputError:
        """The error for an input that was made or changed without being checked, and now cannot be written."""
        try:
            self.input.validate_python(self.input.dump_python(value, by_alias=True, warnings=False))
        except ValidationError as misfit:
            return InputError(f"the input does not fit {self.name}: {told(misfit)}", problems=problems_of(misfit))
        except Exception as worse:  # noqa: BLE001 (an author's serializer may raise anything)
            return self._unstorable("$", f"{reason_of(error)}; {got(worse)}")
        return self._unstorable("$", reason_of(error))

    def _unstorable(self, path: str, why: str) -> InputError:
        wrong = (Problem(path, why, "a value that JSON can spell"),)
        return InputError(f"the input of {self.name} cannot be stored: {path}: {why}", code="NX-R102", problems=wrong)

    def __repr__(self) -> str:
        return f"<{self.name} {self.version[:15]}>"
