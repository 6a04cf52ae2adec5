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
    statements = ast.parse(inspect.getsource(nexum)).body

    assert [s for s in statements if not isinstance(s, ast.Import | ast.ImportFrom | ast.Assign | ast.Expr)] == []
