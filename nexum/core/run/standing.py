"""Why is this run not moving? One sentence, who can do something about it, and the command that helps.

Pure: what is known about a run goes in, a `Standing` comes out. The order of severity is fixed: what has ended; what
only a person can mend (a broken history, suspended, in doubt); closing; then what is under way before what waits, because
a run with a node at work *is* moving. Times are microseconds since 1970 by the store's clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from nexum.core.ids import short
from nexum.core.run.ledger import UNDO
from nexum.core.run.seen import DoubtSeen, Situation, TaskSeen, Trouble
from nexum.core.run.state import Phase

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LATER = 10 * MINUTE  # until a run whose history cannot be continued is looked at again
SOME = 3  # calls that a sentence names
STANDINGS = {
    "running": "Running",
    "queued": "Queued",
    "no_worker": "No worker",
    "waiting": "Waiting",
    "retrying": "Retrying",
    "in_doubt": "In doubt",
    "needs_attention": "Needs attention",
    "closing": "Closing",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "terminated": "Terminated",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer. `since` is 0 when unknown; `who` is "" when nobody has to do anything; `docs` is a code to look up."""

    code: str
    since: int
    sentence: str
    who: str = ""
    commands: tuple[str, ...] = ()
    docs: str = ""

    @property
    def label(self) -> str:
        """The standing as people read it."""
        return STANDINGS[self.code]


def explain(seen: Situation, now: int) -> Standing:
    """Name the first reason, in the fixed order of severity."""
    found = _explained(seen, now)
    return replace(found, sentence=found.sentence.replace(" ….", " …"))  # what was cut has no full stop of its own


def _explained(seen: Situation, now: int) -> Standing:
    if seen.phase.is_ended:
        return _ended(seen)
    if seen.broken:
        return _broken(seen)
    if seen.suspended_at:
        return _suspended(seen)
    if seen.doubts:
        return _in_doubt(seen, now)
    if seen.parked and not seen.tasks:
        return _parked(seen, now)
    if seen.phase is Phase.CLOSING:
        return _closing(seen, now)
    working = [task for task in seen.tasks if task.worker]
    if working:
        return _running(seen, working, now)
    ready = [task for task in seen.tasks if task.not_before <= now and not task.holder]
    held = [task for task in seen.tasks if task.holder]
    if not seen.fleet.live and seen.tasks:
        return _no_worker(seen, min(seen.tasks, key=lambda task: task.since), now)
    if ready:
        return _queued(seen, min(ready, key=lambda task: task.since), now)
    if held:
        return _waiting(min(held, key=lambda task: task.since), now)
    if seen.tasks:
        return _put_off(seen, min(seen.tasks, key=lambda task: task.not_before), now)
    return Standing("running", seen.started_at, "The engine is deciding what comes next.")


def span(us: int) -> str:
    """A duration as people read it: `38 s`, `2 h 14 min`, `3 d`."""
    if us < SECOND:
        return f"{max(us, 0) // 1000} ms"
    if us < 10 * SECOND:
        return f"{us / SECOND:.1f} s"
    if us < 2 * MINUTE:
        return f"{us // SECOND} s"
    if us < HOUR:
        return f"{us // MINUTE} min"
    if us < DAY:
        hours, rest = divmod(us, HOUR)
        return f"{hours} h {rest // MINUTE} min" if rest >= MINUTE else f"{hours} h"
    days, rest = divmod(us, DAY)
    return f"{days} d {rest // HOUR} h" if rest >= HOUR else f"{days} d"


def _ended(seen: Situation) -> Standing:
    took = span(seen.ended_at - seen.started_at)
    show = (f"nexum show {seen.run_id}",)
    match seen.phase:
        case Phase.COMPLETED:
            return Standing("completed", seen.ended_at, f"Completed in {took}.")
        case Phase.CANCELLED:
            return Standing("cancelled", seen.ended_at, f"Cancelled after {took}{_because(seen.reason)}.{_deeds(seen)}")
        case Phase.TERMINATED:
            said = f"Terminated after {took}{_because(seen.reason)}.{_unknown(seen)}"
            return Standing("terminated", seen.ended_at, said)
        case _:
            trouble = seen.trouble or Trouble("", "")
            where = f"{_node(trouble.path)} failed" if trouble.path else "Failed"
            return Standing(
                "failed",
                seen.ended_at,
                f"{where} after {took}{_told(trouble)}.{_deeds(seen)}",
                who="the author of the workflow",
                commands=show,
                docs=trouble.code,
            )


def _suspended(seen: Situation) -> Standing:
    trouble = seen.trouble or Trouble("NX-R406", "")
    if trouble.code == "NX-R406":
        said = f"Suspended: the engine could not decide what follows{_told(trouble)}. Nothing recorded is lost."
    else:
        said = f"Suspended: the run cannot go on{_told(trouble)}. Its events are kept; nothing is executed meanwhile."
    return Standing(
        "needs_attention",
        seen.suspended_at,
        said,
        who="whoever runs Nexum",
        commands=(f"nexum show {seen.run_id}", f"nexum explain {trouble.code}"),
        docs=trouble.code,
    )


def _broken(seen: Situation) -> Standing:
    return Standing(
        "needs_attention",
        0,
        f"Stopped: nothing can be appended to its history ({seen.broken}), not even a suspension. Nothing is executed; "
        f"it is looked at again every {span(LATER)} and goes on once the history is repaired.",
        who="whoever runs Nexum",
        commands=(f"nexum show {seen.run_id}", f"nexum explain {seen.broken}"),
        docs=seen.broken,
    )


def _in_doubt(seen: Situation, now: int) -> Standing:
    doubt = min(seen.doubts, key=lambda found: found.since)
    more = f" So are {len(seen.doubts) - 1} more." if len(seen.doubts) > 1 else ""
    tool = f" ({doubt.tool})" if doubt.tool else ""
    ago = f" {span(now - doubt.since)} ago" if doubt.since else ""
    sent = f"{_node(doubt.path)}{tool} was sent{ago} and its outcome is not known."
    effect = f"{seen.run_id}/{doubt.path}"
    show = f"nexum in-doubt show {effect}"
    if doubt.asker or (doubt.asks_at and seen.fleet.live):
        return Standing("in_doubt", doubt.since, f"{sent} {_asking(doubt, now)}{more}", "", (show,), "NX-E201")
    if doubt.proposed:
        return _half_decided(doubt, effect, f"{sent}{more}")
    said = f" {doubt.said}" if doubt.said else ""
    if doubt.asks_at:
        said = (
            f" Its provider is to be asked, but no live worker runs version {short(seen.version)} of {seen.workflow}."
        )
    return Standing(
        "in_doubt",
        doubt.since,
        f"{sent}{said} It is held, not repeated, until somebody finds out.{more}",
        who="a person who can look at the provider",
        commands=(show, *_ways_out(effect, can_ask=doubt.can_ask)),
        docs="NX-E201",
    )


def _half_decided(doubt: DoubtSeen, effect: str, sent: str) -> Standing:
    """One person has decided, and two are wanted."""
    confirm = f"nexum in-doubt resolve {effect} --as {doubt.outcome.replace('_', '-')} --reason TEXT"
    return Standing(
        "in_doubt",
        doubt.since,
        f"{sent} {doubt.proposed} has decided ({doubt.outcome.replace('_', ' ')}), and it waits for a second person.",
        who=f"somebody other than {doubt.proposed}",
        commands=(f"nexum in-doubt show {effect}", confirm),
        docs="NX-E411",
    )


def _asking(doubt: DoubtSeen, now: int) -> str:
    before = f"{doubt.said} " if doubt.said else ""
    if doubt.asker:
        return f"{before}Its provider is being asked by {doubt.asker}."
    if doubt.asks_at <= now:
        return f"{before}Its provider is about to be asked."
    return f"{before}Its provider is asked in {span(doubt.asks_at - now)}; nothing is repeated before that."


def _ways_out(effect: str, *, can_ask: bool) -> tuple[str, ...]:
    """The commands of a person who has asked the provider, or who has it asked."""
    return (
        *((f"nexum in-doubt reconcile {effect}",) if can_ask else ()),
        f"nexum in-doubt resolve {effect} --as happened --response @FILE --reason TEXT",
        f"nexum in-doubt resolve {effect} --as did-not-happen --reason TEXT",
    )


def _closing(seen: Situation, now: int) -> Standing:
    waits = _waits(seen)
    told = _told(seen.trouble) if seen.trouble else _because(seen.reason)
    if seen.tasks and not seen.fleet.live:
        found = _no_worker(seen, min(seen.tasks, key=lambda task: task.since), now)
        return Standing(
            "no_worker", found.since, f"Closing{told}. {found.sentence}", found.who, found.commands, found.docs
        )
    since = min((task.since for task in seen.tasks), default=0)
    return Standing("closing", since, f"Closing{told}.{waits}", docs=seen.trouble.code if seen.trouble else "")


def _waits(seen: Situation) -> str:
    """What a closing run waits for: first for what goes forward to stop, then for undos."""
    forward = dict.fromkeys(_node(task.path) for task in seen.tasks if not task.path.endswith(UNDO))
    if forward:
        return f" Waits for {', '.join(forward)} to stop."
    undoing = dict.fromkeys(_node(task.path.removesuffix(UNDO)) for task in seen.tasks)
    parked = dict.fromkeys(_node(each.path) for each in seen.parked)
    return (f" Undoing {', '.join(undoing)}." if undoing else "") + (
        f" {', '.join(parked)} {'waits' if len(parked) == 1 else 'wait'} for a person." if parked else ""
    )


def _parked(seen: Situation, now: int) -> Standing:
    first = min(seen.parked, key=lambda each: each.since)
    node = f"{seen.run_id}/{first.path}"
    more = f" {len(seen.parked) - 1} more wait like it." if len(seen.parked) > 1 else ""
    undo = first.path.endswith(UNDO)
    what = f"{_node(first.path.removesuffix(UNDO))} could not be undone" if undo else f"{_node(first.path)} is parked"
    means = "It stays done" if undo else "It waits"
    return Standing(
        "needs_attention",
        first.since,
        f"{what}{_told(first.trouble)}. {means} until somebody decides, for {span(now - first.since)} by now.{more}",
        who="a person who can mend the cause, or do without",
        commands=(
            f"nexum retry {node}",
            f"nexum skip {node} --value @FILE --reason TEXT",
            f"nexum fail {node} --reason TEXT",
        ),
        docs=first.trouble.code,
    )


def _deeds(seen: Situation) -> str:
    """What the end of a run says about what it had done."""
    words = {
        "all": " All that it had done is undone.",
        "some": " What it had done is undone in part.",
        "none": " What it had done is not undone.",
    }.get(seen.undone, "")
    given_up = ", ".join(_node(path.removesuffix(UNDO)) for path in seen.given_up)
    said = f"{words} Given up: {given_up}." if given_up else words
    more = f" and {len(seen.left) - SOME} more" if len(seen.left) > SOME else ""
    left = ", ".join(map(_node, seen.left[:SOME]))
    return f"{said} Made and left as it is: {left}{more}." if left else said


def _unknown(seen: Situation) -> str:
    """What the termination has left without anybody knowing whether it was done."""
    paths = list(dict.fromkeys(_node(doubt.path) for doubt in seen.doubts))
    more = f" and {len(paths) - SOME} more" if len(paths) > SOME else ""
    verb = "were" if len(paths) > 1 else "was"
    return f" Nobody knows whether {', '.join(paths[:SOME])}{more} {verb} done." if paths else ""


def _running(seen: Situation, working: list[TaskSeen], now: int) -> Standing:
    first = min(working, key=lambda task: task.since)
    more = f" {len(working) - 1} more at work." if len(working) > 1 else ""
    tried = f" (attempt {first.attempt}{_of(first)})" if first.attempt > 1 or first.attempts > 1 else ""
    said = f"{_node(first.path)} is running on {first.worker}{tried} for {span(now - first.since)}.{more}"
    if first.silent:
        said = (
            f"{_node(first.path)} was running on {first.worker}, which has been silent for {span(first.silent)}. "
            "The scheduler gives its work to another worker."
        )
        return Standing("running", first.since, said, who="the scheduler", commands=("nexum doctor",), docs="NX-W210")
    return Standing("running", first.since, said)


def _no_worker(seen: Situation, waits: TaskSeen, now: int) -> Standing:
    left = f" The last one left {span(now - seen.fleet.last_left)} ago." if seen.fleet.last_left else ""
    return Standing(
        "no_worker",
        waits.since,
        f"{_node(waits.path)} waits, but no live worker runs version {short(seen.version)} of {seen.workflow}.{left}",
        who="whoever runs the workers",
        commands=(f"nexum worker --workflow {seen.workflow}",),
        docs="NX-W203",
    )


def _queued(seen: Situation, waits: TaskSeen, now: int) -> Standing:
    ahead = f" {_count(seen.fleet.ahead, 'task')} ahead;" if seen.fleet.ahead else ""
    again = f" (attempt {waits.attempt}{_of(waits)})" if waits.attempt > 1 else ""
    ready = max(waits.since, waits.not_before)
    return Standing(
        "queued",
        ready,
        f"{_node(waits.path)}{again} has been ready for {span(now - ready)}.{ahead} "
        f"{_count(seen.fleet.live, 'worker')} alive.",
    )


def _waiting(waits: TaskSeen, now: int) -> Standing:
    run, _, node = waits.holder.partition("/")
    doubted = ", in doubt there" if waits.doubted else ""
    return Standing(
        "waiting",
        waits.since,
        f"{_node(waits.path)} waits for key {waits.key}, held by run {run} ({node}, for {span(now - waits.held_since)}"
        f"{doubted}). It goes on by itself when that run knows.",
        who="whoever resolves that doubt" if waits.doubted else "",
        commands=(f"nexum why {run}",),
    )


def _put_off(seen: Situation, waits: TaskSeen, now: int) -> Standing:
    """It waits for its next attempt, or for a tool that is not asked just now."""
    held = next((breaker for breaker in seen.breakers if breaker.path == waits.path), None)
    if held is None:
        return _retrying(waits, now)
    age = f"has been open for {span(now - held.since)}" if held.since else "is open"
    by = f", held by {held.by}{_because(held.reason)}" if held.by else ""
    left = held.next_probe - now
    then = f"Next probe in {span(left)}; nothing is lost." if left > 0 else "Nothing is lost."
    said = f"{_node(waits.path)} waits: breaker `{held.name}` {age}{by}. {then}"
    return Standing(
        "retrying",
        waits.since,
        said,
        who=f"{held.by}, or whoever runs `{held.name}`" if held.by else "",
        commands=("nexum breaker list",),
    )


def _retrying(waits: TaskSeen, now: int) -> Standing:
    failed = waits.attempt - 1
    if not failed:
        return Standing(
            "retrying", waits.since, f"{_node(waits.path)} waits. It is tried in {span(waits.not_before - now)}."
        )
    of = f" of {waits.attempts}" if waits.attempts else ""
    told = f" ({waits.trouble.code})" if waits.trouble and waits.trouble.code else ""
    times = "once" if failed == 1 and not of else f"{failed}{of} times"
    return Standing(
        "retrying",
        waits.since,
        f"{_node(waits.path)} failed {times}{told}. Next try in {span(waits.not_before - now)}.",
        docs=waits.trouble.code if waits.trouble else "",
    )


def _node(path: str) -> str:
    return f"`{path}`"


def _of(task: TaskSeen) -> str:
    return f" of {task.attempts}" if task.attempts else ""


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _because(reason: str) -> str:
    return f": {_cut(reason)}" if reason else ""


def _told(trouble: Trouble) -> str:
    code = f" ({trouble.code})" if trouble.code else ""
    said = f": {_cut(trouble.message)}" if trouble.message else ""
    return f"{code}{said}"


def _cut(text: str, most: int = 160) -> str:
    """The first line, shortened; a full stop at its end is the sentence's own."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line.rstrip(".") if len(line) <= most else f"{line[: most - 1].rstrip()} …"
