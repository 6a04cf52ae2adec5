"""What is the same for every run: installed versions, and the catalogue of errors, offline."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from nexum.errors import Entry, NexumError
from nexum.errors.catalogue import CATALOGUE
from nexum.readouts.document import Document
from nexum.readouts.metrics import CONTENT_TYPE, read_metrics
from nexum.readouts.versions import read_versions
from nexum.store.tokens import check_token
from nexum_dashboard.access import Viewer
from nexum_dashboard.api.callers import bearer
from nexum_dashboard.pages.respond import MissingError, log, page, show, status_of
from nexum_dashboard.place import store

FAMILIES = {
    "B": "Building",
    "C": "Compatibility",
    "D": "Deploying",
    "R": "Runs",
    "E": "Effects",
    "L": "Language models",
    "W": "Workers",
    "Q": "Queues",
    "S": "Storage",
    "P": "Requests and permissions",
    "F": "Configuration",
    "X": "Bugs of ours",
}


class CodeView(Document):
    """An error of the catalogue."""

    code: str
    title: str
    means: str
    why: str
    mend: tuple[str, ...]
    retryable: bool
    exit_code: int


class CodeList(Document):
    """The whole catalogue."""

    codes: tuple[CodeView, ...]


@page
def version_list(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """What is installed, and who serves it."""
    return show(request, viewer, "nexum/versions.html", read_versions(store()))


@page
def code_list(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Every error code."""
    found = CodeList(form="nexum.codes/1", codes=tuple(_view(CATALOGUE[code]) for code in sorted(CATALOGUE)))
    families = [
        (title, [code for code in found.codes if code.code[3] == letter])
        for letter, title in FAMILIES.items()
        if any(code[3] == letter for code in CATALOGUE)
    ]
    return show(request, viewer, "nexum/codes.html", found, families=families)


@page
def code_page(request: HttpRequest, viewer: Viewer, code: str) -> HttpResponse:
    """One error code: what it means, why Nexum stops there, how to mend it."""
    known = CATALOGUE.get(code.upper())
    if known is None:
        raise MissingError(f"{code[:40]!r} is not an error code of this version of Nexum")
    return show(request, viewer, "nexum/code.html", _view(known))


def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics of this database, for Prometheus: with a token of the scope `runs:read`, or for those who see pages."""
    header = request.headers.get("Authorization", "")
    if not header:
        return _metrics_page(request)
    try:
        token = check_token(store(), bearer(header))
        if token is None or "runs:read" not in token.scopes:
            return HttpResponse(status=403 if token else 401, headers={} if token else {"WWW-Authenticate": "Bearer"})
        return _metrics_text()
    except NexumError as error:
        log.error("metrics failed: %s", error)
        return HttpResponse(f"{error}\n", status=status_of(error), content_type="text/plain; charset=utf-8")


@page
def _metrics_page(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    return _metrics_text()


def _metrics_text() -> HttpResponse:
    return HttpResponse(read_metrics(store()), content_type=CONTENT_TYPE)


def _view(known: Entry) -> CodeView:
    return CodeView(
        form="nexum.code/1",
        code=known.code,
        title=known.title,
        means=known.means,
        why=known.why,
        mend=known.mend,
        retryable=known.retryable,
        exit_code=known.exit_code,
    )
