"""A state as bytes and back. Disposable: whoever finds one that does not fit folds the events instead."""

from __future__ import annotations

from typing import Any

from immutables import Map

from nexum.core.canonical import canonical_bytes, from_bytes
from nexum.core.run.codec import CODERS
from nexum.core.run.events import Cell
from nexum.core.run.state import CellState, CellStatus, Deed, Phase, Proposal, Requested, State


def _freeze_proposal(made: Proposal) -> list[Any]:
    return [*made[:4], made.output and list(made.output), *made[5:]]


def _thaw_proposal(spelled: list[Any]) -> Proposal:
    return Proposal(*spelled)._replace(output=spelled[4] and CODERS["Ref"][1](spelled[4]))


_CODERS = {**CODERS, "Proposal | None": (_freeze_proposal, _thaw_proposal)}
_CELL_FIELDS = tuple(
    (name, default, *_CODERS[CellState.__annotations__[name].__forward_arg__])
    for name, default in CellState._field_defaults.items()
)
_PAIRS = CODERS["tuple[tuple[str, Ref | None], ...]"]


def freeze(state: State) -> bytes:
    """The canonical bytes of a state."""
    spelled: dict[str, Any] = {
        "run_id": state.run_id,
        "tenant": state.tenant,
        "workflow": state.workflow,
        "version": state.version,
        "run_key": state.run_key,
        "phase": str(state.phase),
        "seq": state.seq,
        "now": state.now,
        "input": list(state.input) if state.input is not None else None,
        "cells": [[*cell, _freeze_cell(at)] for cell, at in sorted(state.cells.items())],
        "timers": dict(sorted(state.timers.items())),
        "fresh": [list(cell) for cell in state.fresh],
        "settled": state.settled,
        "suspended": state.suspended,
        "cause": state.cause,
        "cause_error": CODERS["Error | None"][0](state.cause_error) if state.cause_error is not None else None,
        "cause_cell": list(state.cause_cell),
        "cancel_reason": state.cancel_reason,
        "compensate": state.compensate,
        "ledger": {key: _freeze_deed(deed) for key, deed in sorted(state.ledger.items())},
        "requested": None if state.requested is None else _freeze_requested(state.requested),
    }
    return canonical_bytes(spelled)


def thaw(data: bytes) -> State:
    """Read a state back. Raises `KeyError`, `TypeError` or `ValueError` when the bytes are no state of this engine."""
    spelled = from_bytes(data)
    cells = {Cell(path, visit, item): _thaw_cell(at) for path, visit, item, at in spelled["cells"]}
    error = spelled["cause_error"]
    return State(
        run_id=spelled["run_id"],
        tenant=spelled["tenant"],
        workflow=spelled["workflow"],
        version=spelled["version"],
        run_key=spelled["run_key"],
        phase=Phase(spelled["phase"]),
        seq=spelled["seq"],
        now=spelled["now"],
        input=CODERS["Ref"][1](spelled["input"]) if spelled["input"] is not None else None,
        cells=Map(cells),
        timers=Map(spelled["timers"]),
        fresh=tuple(Cell(*cell) for cell in spelled["fresh"]),
        open=Map({cell: True for cell, at in cells.items() if not at.status.is_terminal}),
        settled=spelled["settled"],
        suspended=spelled["suspended"],
        cause=spelled["cause"],
        cause_error=CODERS["Error | None"][1](error) if error is not None else None,
        cause_cell=Cell(*spelled["cause_cell"]),
        cancel_reason=spelled["cancel_reason"],
        compensate=spelled["compensate"],
        ledger=Map({key: _thaw_deed(deed) for key, deed in spelled["ledger"].items()}),
        requested=None if spelled["requested"] is None else _thaw_requested(spelled["requested"]),
    )


def _freeze_cell(at: CellState) -> dict[str, Any]:
    spelled: dict[str, Any] = {"status": str(at.status)}
    for name, default, write, _ in _CELL_FIELDS:
        value = getattr(at, name)
        if value != default:
            spelled[name] = write(value)
    return spelled


def _thaw_cell(spelled: dict[str, Any]) -> CellState:
    values = {name: read(spelled[name]) for name, _, _, read in _CELL_FIELDS if name in spelled}
    return CellState(status=CellStatus(spelled["status"]), **values)


def _freeze_deed(deed: Deed) -> list[Any]:
    return [list(deed.cell), _PAIRS[0](deed.inputs), deed.output and list(deed.output), deed.late, deed.undone]


def _thaw_deed(spelled: list[Any]) -> Deed:
    cell, inputs, output, late, undone = spelled
    return Deed(Cell(*cell), _PAIRS[1](inputs), output and CODERS["Ref"][1](output), late, undone)


def _freeze_requested(request: Requested) -> list[Any]:
    return [
        list(request.cell),
        request.what,
        request.reason,
        request.output and list(request.output),
        request.not_before,
    ]


def _thaw_requested(spelled: list[Any]) -> Requested:
    cell, what, reason, output, not_before = spelled
    return Requested(Cell(*cell), what, reason, output and CODERS["Ref"][1](output), not_before)
