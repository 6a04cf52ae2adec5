"""What `import nexum` offers. (That `__all__` is in order, ruff's RUF022 sees to.)"""

from __future__ import annotations

import ast
import inspect

import nexum


def test_every_public_name_is_there_once() -> None:
    assert len(set(nexum.__all__)) == len(nexum.__all__)
    assert [name for name in nexum.__all__ if not hasattr(nexum, name)] == []


def test_every_public_name_says_what_it_is() -> None:
    things = {name: getattr(nexum, name) for name in nexum.__all__ if name != "__version__"}
    callables = {name: thing for name, thing in things.items() if inspect.isroutine(thing) or inspect.isclass(thing)}

    assert [name for name, thing in callables.items() if not (thing.__doc__ or "").strip()] == []


def test_the_front_door_defines_nothing_itself() -> None:
    opening = {"__getattr__", "__dir__"}  # how a module imports its names when they are first asked for
    defined = [
        node.name
        for node in ast.parse(inspect.getsource(nexum)).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]

    assert set(defined) <= opening
