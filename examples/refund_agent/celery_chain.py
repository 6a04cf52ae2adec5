"""The same agent on plain Celery, as a competent team would write it.

No straw man: late acknowledgement, a task whose worker died is given to another, one message reserved at a time, a stable
key per order and per claim, retries with back-off, redelivery tuned from one hour to seconds, only what is needed travels
in the messages. Decisions, letters and the prompt are the very functions of `agents.py`.

What stands between the markers `# state` and `# end` is there for one reason: something may die half way. The demo counts
those lines. What the agent on Nexum also says, each in its own way, is not counted: retries and
keys.
"""

from __future__ import annotations

import os
from typing import Any

import httpx
import redis
from celery import Celery, Task, chain
from pydantic import ValidationError

from examples.refund_agent import agents, shop
from nexum.crash import crash

MODEL = "gpt-4o-mini"
REPAIRS = 2


class Steady(Task[Any, Any]):
    """A task that tries again when the provider or the model does not answer."""

    autoretry_for = (httpx.HTTPError,)
    retry_backoff = 1
    retry_backoff_max = 10
    max_retries = 6


app = Celery("refund_chain", broker=os.environ.get("CHAIN_BROKER", "redis://127.0.0.1:6379/0"), task_cls=Steady)

# state
TUNED = {  # seconds; must exceed the longest task, or Celery runs it twice at the same time
    "visibility_timeout": 5,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    broker_transport_options=TUNED if os.environ.get("CHAIN_REDELIVERY") == "tuned" else {},
)
# end
app.conf.broker_connection_retry_on_startup = True

State = dict[str, Any]


@app.task
def look_up(state: State) -> State:
    """The purchase; of the history only what the prompt shows, for a message should stay small."""
    found = shop.purchase(state["claim"]["order_id"])
    # state
    state["purchase"] = {**found, "history": found["history"][-3:]}
    return state
    # end


@app.task
def ask(state: State) -> State:
    """The model's opinion, repaired if need be; a kill in here starts again with the first question."""
    claim = agents.Claim.model_validate(state["claim"])
    purchase = agents.Purchase.model_validate(state["purchase"])
    prompt = agents.verdict(claim, purchase)
    said = [{"role": message.role, "content": message.content} for message in prompt.messages]
    for _ in range(REPAIRS + 1):
        text = _complete(said)
        crash("model.while_answering", run_key=state["id"], node="verdict")
        try:
            verdict = agents.Verdict.model_validate_json(text)
        except ValidationError as error:
            wrong = f"That answer cannot be used. What is wrong: {error}\nAnswer again."
            said += [{"role": "assistant", "content": text}, {"role": "user", "content": wrong}]
        else:
            # state
            state["verdict"] = verdict.model_dump()
            return state
            # end
    raise ValueError("the model's answer is still invalid")


@app.task
def decide(state: State) -> State:
    """The decision by rules."""
    purchase = agents.Purchase.model_validate(state["purchase"])
    route = agents.route(purchase, agents.Verdict.model_validate(state["verdict"]))
    # state
    state["route"] = route.model_dump()
    return state
    # end


@app.task
def refund(state: State) -> State:
    """Pay, when the decision says so; the key is the order's, so that the provider pays once."""
    route = agents.Route.model_validate(state["route"])
    if route.decision == "refund":
        key = f"refund:{route.order_id}"
        paid = shop.refund(route.order_id, route.amount, route.currency, key=key)
        crash("effect.after_response", run_key=state["id"], node="refund")
        # state
        state["refund"] = {"id": paid["id"], "amount": paid["amount"]}
    return state
    # end


@app.task
def mail(state: State) -> State:
    """Write to the customer; the key is the claim's."""
    route = agents.Route.model_validate(state["route"])
    if route.decision != "review":
        receipt = agents.Receipt.model_validate(state["refund"]) if "refund" in state else None
        letter = agents.letter(agents.Claim.model_validate(state["claim"]), route, receipt)
        key = f"mail:{state['id']}"
        shop.mail(letter.to, letter.subject, letter.body, key=key)
    return state


# state
@app.task
def finish(state: State) -> None:
    """Note the end of a claim where others can see it; nothing else in Celery could be asked."""
    status = {"refund": "refunded", "decline": "declined", "review": "needs_review"}[state["route"]["decision"]]
    with redis.Redis.from_url(app.conf.broker_url) as connection:
        connection.hset("claims", state["id"], status)


# end


def start(claim_id: str, claim: dict[str, Any]) -> None:
    """Send a claim on its way."""
    steps = (look_up.s({"id": claim_id, "claim": claim}), ask.s(), decide.s(), refund.s(), mail.s(), finish.s())
    chain(*steps).apply_async()


def _complete(messages: list[dict[str, str]]) -> str:
    """One chat completion, forced to the schema."""
    shape = {"name": "verdict", "schema": agents.Verdict.model_json_schema()}
    body = {
        "model": MODEL,
        "messages": messages,
        "response_format": {"type": "json_schema", "json_schema": shape},
    }
    reply = httpx.post(os.environ["CHAIN_MODEL_URL"] + "/chat/completions", json=body, timeout=30).raise_for_status()
    text: str = reply.json()["choices"][0]["message"]["content"]
    return text
