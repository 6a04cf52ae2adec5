"""What the demo prints."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.table import Table

from examples.refund_agent.cases import HERE, Case, letter_of
from examples.refund_agent.celery_side import DEFAULT_REDELIVERY, state_lines
from examples.refund_agent.contest import Report
from nexum.settings import Settings


def is_right(report: Report, wanted: Iterable[Case]) -> bool:
    """Whether the provider's ledger, the recorded statuses and the number of kills are what they must be."""
    return not _faults(report, tuple(wanted))


def opening(wanted: tuple[Case, ...]) -> str:
    """What is about to happen."""
    orders = {case.order for case in wanted if case.refund}
    mails = sum(bool(case.mail) for case in wanted)
    return (
        f"[bold]A refund agent, {len(wanted)} claims: {len(orders)} refunds and {mails} mails are due.[/]\n"
        f"Its worker dies by SIGKILL {len(orders) + 1} times: for each refund once, after the provider has paid and before "
        "the answer is recorded, and once while the model answers. The provider is a process of its own with a ledger "
        "of its own; the ledger is the judge.\n"
    )


def claims(report: Report, wanted: tuple[Case, ...]) -> Table:
    """How each claim ended on Nexum, and what the provider's ledger holds for it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("claim", "what is special", "ended as", "refund in ledger", "mail"):
        table.add_column(title, overflow="fold")
    for case in wanted:
        status = report.statuses[case.name]
        said = status if status == case.status else f"[red]{status or 'nothing'}, not {case.status}[/]"
        table.add_row(case.name, case.about, said, _refunds_of(case, report), _mails_of(case, report))
    return table


def comparison(nexum: Report, chains: list[Report]) -> Table:
    """What the providers' ledgers say, side by side."""
    reports = [nexum, *chains]
    titles = {
        "Celery, tuned": "plain Celery,\ntuned redelivery",
        "Celery, default": "plain Celery,\ndefault redelivery",
    }
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("the provider's ledger")
    for report in reports:
        table.add_column(titles.get(report.name, report.name), justify="right")
    code = str(state_lines(HERE / "celery_chain.py"))
    untuned = f"{Settings().lease_seconds:.0f} s"
    rows: tuple[tuple[str, list[str]], ...] = (
        ("refunds made / due", [_made(r.judgement.refunds, r.judgement.refunds_wanted) for r in reports]),
        ("mails sent / due", [_made(r.judgement.mails, r.judgement.mails_wanted) for r in reports]),
        ("acts missing, doubled or wrong", [_count(len(r.judgement.problems)) for r in reports]),
        ("claims without an end", [_count(sum(not s for s in r.statuses.values())) for r in reports]),
        ("SIGKILLs", [str(len(r.kills)) for r in reports]),
        ("a dead worker's work waits", [f"{r.waits:,} s" for r in reports]),
        ("  when nothing is tuned", [untuned, *[f"{DEFAULT_REDELIVERY:,} s"] * len(chains)]),
        ("from kill to mail: median (worst)", [_recovery(r) for r in reports]),
        ("model requests paid", [str(r.model_requests) for r in reports]),
        ("lines of state handling in the agent", [str(state_lines(HERE / "agents.py")), *[code] * len(chains)]),
    )
    for title, cells in rows:
        table.add_row(title, *cells)
    return table


def turn(number: int, report: Report, wanted: tuple[Case, ...]) -> str:
    """One line for a repetition, and one for each thing that was wrong with it."""
    faults = _faults(report, wanted)
    verdict = "[red]wrong[/]" if faults else "[green]right[/]"
    line = f"{number:>3}  {verdict}, {len(report.kills)} kills, {report.seconds:.1f} s"
    return "\n".join([line, *(f"     {fault}" for fault in faults)])


def second_act() -> str:
    """What comes after the contest."""
    return (
        "[bold]A provider that honours no idempotency keys: sending again could do it twice.[/]\n"
        "A voucher and a letter; each time the process dies after the provider acted. The voucher can be looked up, so Nexum "
        "asks; nobody can be asked about the letter, so it is held for a person.\n"
    )


def closing(right: int, reports: list[Report], wanted: tuple[Case, ...], doubts: list[str]) -> str:
    """The verdict, and what was wrong; `doubts` is what was wrong with the second act."""
    faults = [f"  run {n}: {fault}" for n, report in enumerate(reports, 1) for fault in _faults(report, wanted)]
    faults += [f"  doubts: {fault}" for fault in doubts]
    colour = "red" if faults else "green"
    settled = "the second act went wrong" if doubts else "both doubts are resolved, nothing was sent twice"
    return "\n".join([*faults, f"[bold {colour}]{right} of {len(reports)}[/]: Nexum's ledger is right; {settled}"])


def _refunds_of(case: Case, report: Report) -> str:
    found = [act for act in report.acts if act["act"] == "refund" and act["body"]["order_id"] == case.order]
    return ", ".join(f"{act['id']} {act['body']['amount'] / 100:>6.2f}" for act in found)


def _mails_of(case: Case, report: Report) -> str:
    wanted = (case.claim["email"], case.mail)
    found = [act for act in report.acts if act["act"] == "mail" and letter_of(act) == wanted]
    return ", ".join(act["id"] for act in found)


def _faults(report: Report, wanted: tuple[Case, ...]) -> list[str]:
    due = len({case.order for case in wanted if case.refund}) + 1
    odd = [
        f"{case.name} ended as {report.statuses[case.name] or 'nothing'}, not {case.status}"
        for case in wanted
        if report.statuses[case.name] != case.status
    ]
    killed = [] if len(report.kills) == due else [f"{len(report.kills)} kills took place, not {due}"]
    return [*report.judgement.problems, *odd, *killed]


def _made(made: int, due: int) -> str:
    return f"{made} / {due}" if made == due else f"[red]{made} / {due}[/]"


def _count(number: int) -> str:
    return str(number) if not number else f"[red]{number}[/]"


def _recovery(report: Report) -> str:
    if not report.lost:
        return report.recovered
    waited = f"{report.lost} not within {report.seconds:.0f} s,\ndue after {report.waits:,} s"
    return f"{report.recovered},\n{waited}" if report.recoveries else waited
