"""The types of the SDK that mean something in a handler's signature."""

from __future__ import annotations

from nexum.compiler.binding import Marks
from nexum.sdk.context import Context
from nexum.sdk.io import IO
from nexum.sdk.prompt import Prompt
from nexum.sdk.tx import Tx

MARKS = Marks(context=Context, prompt=Prompt, means={"transaction": Tx, "effect": IO})
