"""What mypy sees: a reference has the type of what it refers to, so that a wrong field is an error in the editor."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PRELUDE = """\
from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel

from nexum import IO, Context, Dedupes, Message, Prompt, Retry, Timeouts, Tx, Workflow, has, in_, not_, size, workflow


class Claim(BaseModel):
    order_id: str
    amount: int


class Purchase(BaseModel):
    order_id: str
    amount: int


class Verdict(BaseModel):
    score: int
    reason: str


agent = Workflow("Agent", input=Claim)


@agent.read(retry=Retry(max_attempts=5), timeouts=Timeouts(start_to_close=timedelta(seconds=5)))
async def purchase(claim: Claim) -> Purchase:
    return Purchase(order_id=claim.order_id, amount=claim.amount)


@agent.llm(model="openai:gpt-4o", fallback=["anthropic:claude"], accept=lambda out: out.score >= 3, repair=1)
def verdict(claim: Claim, purchase: Purchase) -> Prompt[Verdict]:
    return Prompt([Message("user", "?")])


@agent.effect(
    tool="stripe.refund",
    key=purchase.out.order_id,
    when=(verdict.out.score >= 80) & not_(in_(verdict.out.reason, ["fraud"])) | (size(verdict.out.reason) > 3),
    after=[purchase, verdict],
    provider=Dedupes(ttl=timedelta(hours=24)),
)
def refund(purchase: Purchase, ctx: Context) -> str:
    return ctx.idempotency_key


@agent.compute(when=has(refund.out) & (agent.input.amount < 5000))
def done(refund: str | None) -> bool:
    return refund is not None


@agent.transaction(after=done)
def book(refund: str | None, tx: Tx) -> int:
    return tx.connection.exec_driver_sql("SELECT 1").rowcount


async def search(text: str) -> Purchase:
    return Purchase(order_id=text, amount=1)


@agent.effect(tool="travel")
async def travel(book: int, io: IO) -> str:
    reveal_type(await io.acall(search, "a", name="search"))
    reveal_type(io.read(len, "abc"))
    return io.call(str.upper, "a", provider=Dedupes(ttl=timedelta(hours=1)))


built = agent.build()
reveal_type(book.out)
reveal_type(travel.out)
reveal_type(purchase.out)
reveal_type(verdict.out)
reveal_type(refund.out)
reveal_type(done(None))
pending = purchase(Claim(order_id="1", amount=1))
reveal_type([pending])
reveal_type(built)
reveal_type(agent.input)
fluent = workflow("Fluent", input=Claim).read("purchase", purchase).compute("done", done, when="purchase.amount > 3")
reveal_type(fluent.build())
"""

REVEALED = [
    "Purchase",
    "int",
    "int",
    "str",
    "Purchase",
    "Verdict",
    "str",
    "bool",
    "list[Coroutine[Any, Any, Purchase]]",
    "CompiledWorkflow[Claim]",
    "Claim",
    "CompiledWorkflow[Claim]",
]

WRONG = [
    ("purchase.out.amuont", '"Purchase" has no attribute "amuont"; maybe "amount"?  [attr-defined]'),
    ("verdict.out.scroe >= 80", '"Verdict" has no attribute "scroe"; maybe "score"?  [attr-defined]'),
    ("agent.input.order", '"Claim" has no attribute "order"'),
    ('verdict.out.score >= "80"', "Unsupported operand types for >="),
    ("done(3)", 'Argument 1 to "__call__" of "Handle" has incompatible type "int"; expected "str | None"'),
    ('agent.effect(tol="stripe")', 'Unexpected keyword argument "tol"'),
    ("agent.compute(when=3)", 'Argument "when" to "compute" of "Workflow" has incompatible type "int"'),
    ('agent.llm(model="m")(done)', "has incompatible type"),
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """What mypy says, by line: of the example, and of one wrong line after the other behind it."""
    file = tmp_path_factory.mktemp("typing") / "example.py"
    file.write_text(PRELUDE + "".join(f"{wrong}\n" for wrong, _ in WRONG))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", str(file)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "MYPYPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    lines = [re.match(r".*example\.py:(\d+): (?:error|note): (.*)", line) for line in done.stdout.splitlines()]
    assert done.stderr == ""
    return [(int(found[1]), found[2]) for found in lines if found]


def test_strict_mypy_accepts_the_example_and_knows_its_types(seen: list[tuple[int, str]]) -> None:
    length = len(PRELUDE.splitlines())
    said = [message for line, message in seen if line <= length]

    revealed = [message.removeprefix('Revealed type is "').removesuffix('"') for message in said]
    assert [re.sub(r"\b(\w+\.)+", "", message) for message in revealed] == REVEALED


@pytest.mark.parametrize("place", range(len(WRONG)), ids=[wrong for wrong, _ in WRONG])
def test_strict_mypy_refuses_what_is_wrong(seen: list[tuple[int, str]], place: int) -> None:
    line = len(PRELUDE.splitlines()) + 1 + place

    said = [message for at, message in seen if at == line]

    assert any(WRONG[place][1] in message for message in said), said
