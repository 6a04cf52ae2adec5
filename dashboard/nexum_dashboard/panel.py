"""The runs about one of the shop's own objects, in its own admin: where the people of the shop already are.

A run is about an object when it was started with `subject=order`. The panel uses nothing but the stock blocks of Django's
change form, so that themes of the admin keep working.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template import Template
from django.template.loader import select_template

from nexum.client.start import subject_name
from nexum.errors import NexumError
from nexum.readouts.runs import RunLine, run_lines
from nexum.readouts.situation import Crew
from nexum.store import reading
from nexum.store.reading import Asked, RunQuery
from nexum_dashboard.access import VIEW_RUN, is_open
from nexum_dashboard.place import store

MOST = 10


def runs_about(instance: Model, limit: int = MOST) -> tuple[RunLine, ...]:
    """The newest runs that were started with this object as their subject, with their standings; four queries."""
    here = store()
    name = subject_name(instance)
    now = here.now()
    crew = Crew(here.sessions(), now)
    asked = RunQuery((Asked("subject", name),), crew.queues, now)
    rows = [row for row in reading.list_runs(here, asked, limit=limit) if row.subject == name]
    return tuple(run_lines(here, rows, crew, now))


class RunsPanel:
    """A mixin for a `ModelAdmin`, named before it: its change page lists the runs about the object.

    Whoever lacks `nexum.view_run` is told so. An admin with a `change_form_template` of its own shows the panel where it
    includes `nexum/_runs_panel.html`.
    """

    change_form_template: ClassVar[Any] = "nexum/admin_change_form.html"  # in ModelAdmin a type of the stubs' own

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        """Django's own, with what the panel shows beside it."""
        context["nexum_beneath"] = _stock_form(type(obj) if obj is not None else None)
        if obj is not None:
            context["nexum_panel"] = _panel(request, obj)
        shown: HttpResponse = super().render_change_form(  # type: ignore[misc]
            request, context, *args, obj=obj, **kwargs
        )
        return shown


def _panel(request: HttpRequest, instance: Model) -> dict[str, object]:
    """What the panel shows; a database that does not answer takes down the panel and not the page."""
    user = getattr(request, "user", None)
    if not is_open() and not (user is not None and user.has_perm(VIEW_RUN)):
        return {"refused": VIEW_RUN}
    try:
        return {"runs": runs_about(instance), "now": store().now(), "subject": subject_name(instance)}
    except NexumError as error:
        return {"error": error}


def _stock_form(model: type[Model] | None) -> Template:
    """The template that Django would have taken."""
    own = [] if model is None else [model._meta.app_label, f"{model._meta.app_label}/{model._meta.model_name}"]
    names = [f"admin/{place}/change_form.html" for place in reversed(own)]
    found: Template = select_template([*names, "admin/change_form.html"]).template
    return found
