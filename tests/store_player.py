"""Plays any verbs on a store, right and wrong ones: an act is the name of a method of `Player` and what it is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from nexum.errors import NexumError
from nexum.store.api import Claimed, Held, NewTask, NewTimer, SettledEffect, Snapshot, Store, TaskKey
from nexum.store.shapes import EXPIRED, SILENCE
from store_rows import (
    MINUTE,
    QUEUE,
    advance,
    completed,
    effect,
    mail,
    outcome,
    record,
    session,
    start_row,
    task,
    version,
)

BEGIN = 1_700_000_000_000_000
Act = tuple[Any, ...]


@dataclass
class Clock:
    """One clock for all stores."""

    now: int = BEGIN

    def __call__(self) -> int:
        return self.now


@dataclass
class Player:
    """`held` is every claim that was ever given, with its session, stale ones included; `acts` are the keys of effects.

    What a verb does depends on nothing but the acts before it.
    """

    store: Store
    clock: Clock
    held: list[tuple[str, Claimed]] = field(default_factory=list)
    acts: dict[TaskKey, str] = field(default_factory=dict)

    def play(self, script: list[Act]) -> list[Any]:
        """Each act in turn; a refusal is an answer too."""
        return [self.play_one(*act) for act in script]

    def play_one(self, name: str, *given: Any) -> Any:
        """The answer of one act. Time passes with each: which of two equally old tasks goes first is a store's own affair."""
        self.clock.now += 1
        try:
            return plain((getattr(self, name, None) or getattr(self.store, name))(*given))
        except NexumError as error:
            return error.code

    def later(self, seconds: int) -> None:
        """Time passes."""
        self.clock.now += seconds * 1_000_000

    def begin(self, run: str, keyed: bool, kind: int) -> Any:
        """Start a run whose first task may act, perhaps under a business key that others have too; another one waits."""
        timer = NewTimer("t", self.clock.now + 30_000_000)
        tasks = (self._task(run, kind), task(run, "z"))
        key = "order" if keyed else ""
        return self.store.start(start_row(run_id=run, run_key=key, new_tasks=tasks, set_timers=(timer,)))

    def take(self, who: str) -> Any:
        """Claim from the queue."""
        found = self.store.claim(who, [QUEUE], 99)
        self.held += [(who, claim) for claim in sorted(found, key=lambda claim: claim.key)]
        return found

    def take_one(self, who: str, run: str, path: str) -> Any:
        """Claim a named task."""
        found = self.store.claim_one(who, TaskKey(run, path, 1, -1, 1))
        self.held += [(who, found)] if found is not None else []
        return found

    def end(self, number: int, state: str, way: str) -> Any:
        """An attempt ended: recorded, or with a step; the next attempt may follow, and the step may have to fail."""
        who, claim = self._claim(number)
        key = claim.key
        name = self.acts.get(key, "")
        fact = record(key, outcome(name, claim.token, state) if name else None, claim.token, who)
        head = self.store.head(key.run_id)
        if way == "record" or head is None:
            return self.store.record(fact)
        if way == "retry":
            bodies = ({**completed(key), "type": "AttemptFailed"}, {"type": "RetryScheduled"})
            again = self._task(key.run_id, number % 5, key.path, key.attempt + 1)
            step = advance(head, *bodies, drop_tasks=(key,), new_tasks=(again,), claim=0)
        elif way == "close":
            bodies = (completed(key), {"type": "RunCompleted", "path": ""})
            step = advance(head, *bodies, drop_tasks=(key,), status="COMPLETED", closed=True)
        else:
            stands = head._replace(hash=b"\x05" * 32) if way == "lost" else head
            step = advance(
                stands, completed(key), drop_tasks=(key,), clear_timers=("t",), doubted=(name,) * (number % 2)
            )
        return self.store.step(fact, step)

    def fold(self, run: str, way: str) -> Any:
        """A drain that folds its mail, buries it, keeps it as late, cancels, restores, settles, or is taken back."""
        with self.store.drain(run, wait=True) as held:
            if held is None:
                return None
            rows = held.inbox()
            known = held.known([row.mail.dedupe for row in rows])
            for row in rows:
                if way == "bury":
                    held.bury(row, "unreadable")
                elif way == "late":
                    held.keep_late(row)
                else:
                    fact = {"type": "SignalReceived", "path": "", "dedupe": row.mail.dedupe}
                    held.apply(advance(held.head, fact, applied=("shared", f"key-{run}-a")))
                    held.take([row.id])
            cancelled: frozenset[TaskKey] = frozenset()
            if way == "cancel":
                cancelled = held.cancel_ready([TaskKey(run, path, 1, -1, 1) for path in ("a", "z")])
            if way == "restore":
                held.restore("default", [task(run, "a"), task(run, "z")])
            if way in ("APPLIED", "FAILED"):  # somebody decides about what is in doubt
                settled = tuple(SettledEffect(key, way, b"7", "h", "re") for key in ("shared", f"key-{run}-a"))
                held.apply(advance(held.head, {"type": "DoubtResolved"}, settled=settled, applied=("shared",)))
            if way == "refused":
                held.apply(advance(held.head, {"dedupe": "one"}, {"dedupe": "one"}))
            return [row.mail for row in rows], known, cancelled, held.head

    def give_back(self, number: int, stranger: str, pause: int) -> Any:
        """A session lets go of what it holds or held, or a stranger tries to."""
        who, claim = self._claim(number)
        return self.store.release(stranger or who, claim.key, claim.token, pause=pause)

    def lose(self, number: int, verb: str) -> Any:
        """A sweeper finds a task: requeue, doubt, drop_task or expire_start, in time or too late."""
        _, claim = self._claim(number)
        key, token = claim.key, claim.token
        given: dict[str, Act] = {
            "doubt": (key, token, mail(key.run_id, f"doubt-{key.path}-{token}")),
            "expire_start": (key, mail(key.run_id, f"late-{key.path}")),
        }
        return getattr(self.store, verb)(*given.get(verb, (key, token)))

    def die(self, who: str, proof: str) -> None:
        """A session ends."""
        self.store.end_session(who, proof=proof)

    def publish(self, name: str, default: bool) -> bool:
        """A version is registered."""
        return self.store.register(version(name), make_default=default)

    def _claim(self, number: int) -> tuple[str, Claimed]:
        """One of the claims that were given, the newest first, or one that nobody was given."""
        nobody = Claimed(TaskKey("r1", "z", 1, -1, 1), "compute", QUEUE, 1, 1, 0, "", b"", "", "", 0, b"", 0)
        return self.held[-1 - number % len(self.held)] if self.held else ("s1", nobody)

    def _task(self, run: str, kind: int, path: str = "a", attempt: int = 1) -> NewTask:
        """Compute (0), an effect with a key of its own (1, 2), or with a shared business key (3, and 4 with another input)."""
        start_by = BEGIN + MINUTE if kind == 1 else 0
        act = effect(
            "shared" if kind > 2 else f"key-{run}-{path}",
            business_key="order" if kind > 2 else "",
            policy="dedupes" if kind % 2 else "hold",
            input_hash=("ff" if kind == 4 else "ab") * 32,
            ttl=3 * MINUTE,
        )
        made = task(run, path, attempt, effect=act if kind else None, start_by=start_by)
        self.acts[made.key] = act.key if kind else ""
        return made


def plain(answer: Any) -> Any:
    """An answer without what stores may give as they like: the order of equals, and events that save a read."""
    if isinstance(answer, Claimed):
        return answer._replace(recent=())
    if isinstance(answer, Held):
        return answer._replace(claimed=plain(answer.claimed))
    if isinstance(answer, frozenset | list) or type(answer) is tuple:
        return sorted(map(plain, answer), key=repr)
    return answer


_run, _who, _number = st.sampled_from(("r1", "r2", "r3")), st.sampled_from(("s1", "s2", "s3")), st.integers(0, 5)
_states = ("APPLIED", "APPLIED", "FAILED", "UNKNOWN", "IN_DOUBT")


def _act(name: str, *given: st.SearchStrategy[Any]) -> st.SearchStrategy[Act]:
    return st.tuples(st.just(name), *given)


_moves = st.one_of(
    _act("begin", _run, st.booleans(), st.integers(0, 4)),
    _act("take", _who),
    _act("take_one", _who, _run, st.sampled_from("az")),
    _act(
        "end", st.integers(0, 2), st.sampled_from(_states), st.sampled_from(("on", "record", "lost", "retry", "close"))
    ),
    _act("fold", _run, st.sampled_from(("fold", "bury", "late", "cancel", "restore", "APPLIED", "FAILED", "refused"))),
    _act("post", st.builds(mail, _run, st.sampled_from(("one", "two", "start")), priority=st.integers(-1, 0))),
    _act("give_back", _number, st.sampled_from(("", "", "s1")), st.sampled_from((0, MINUTE))),
    _act("lose", st.integers(0, 2), st.sampled_from(("requeue", "doubt", "drop_task", "expire_start"))),
    _act("later", st.sampled_from((1, 30, 100))),
)
_lives = st.one_of(
    _act("open_session", st.builds(session, _who)),
    _act("die", _who, st.sampled_from(("", "gone", f"{EXPIRED}watched", f"{SILENCE}gone"))),
    _act("beat", st.lists(_who)),
    _act("sessions", st.just(("LIVE", "ENDED", "DEAD"))),
)
_looks = st.one_of(
    *(_act(name, st.just(99)) for name in ("held_by_dead", "proven_dead", "due_timers", "late_starts")),
    *(_act(name, st.just(20_000_000), st.just(99)) for name in ("old_mail", "ready_untold")),
    _act("adopt", _who),
    _act("events_after", _run, st.integers(0, 3)),
    _act("mark", _run, st.just("NX-S101")),
)
_kept = st.one_of(
    _act("publish", st.sampled_from("ab"), st.booleans()),
    _act("save_snapshot", _run, st.builds(Snapshot, _number, st.just(b"h"), st.just("1"), st.just(b"s"))),
    _act("put_blob", st.just("default"), st.sampled_from((b"x", b"x" * 900))),
)
_begun = st.tuples(
    *(
        st.tuples(st.just("begin"), st.just(name), st.booleans(), st.sampled_from((3, 3, 1, 2, 4, 0)))
        for name in ("r1", "r2")
    ),
    *(st.tuples(st.just("open_session"), st.just(session(name))) for name in ("s1", "s2")),
    st.tuples(st.just("take_one"), st.just("s1"), st.just("r1"), st.just("a")),
)
_any = st.lists(st.one_of(_moves, _moves, _moves, _lives, _looks, _kept), min_size=30, max_size=60)
scripts = st.builds(lambda first, then: [*first, *then], _begun, _any)
