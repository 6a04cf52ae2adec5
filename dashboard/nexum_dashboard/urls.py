"""The addresses: every state of a page is one, GET changes nothing, and `.json` gives the page's view-model.

A shop mounts them with `path("nexum/", include("nexum_dashboard.urls"))`.
"""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path
from django.views.generic import RedirectView

from nexum_dashboard.api.problems import mounted, nowhere
from nexum_dashboard.api.rest import api
from nexum_dashboard.pages import breakers, catalogue, dead, doubts, ending, events, node, run, runs

app_name = "nexum"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="nexum:runs"), name="home"),
    path("runs/", runs.run_list, name="runs"),
    path("runs.json", runs.run_list, name="runs-json"),
    path("runs/live", runs.run_list_live, name="runs-live"),
    path("runs/<str:run_id>.json", run.run_page, name="run-json"),
    path("runs/<str:run_id>/", run.run_page, name="run"),
    path("runs/<str:run_id>/do/terminate/", ending.terminate_page, name="terminate"),
    path("runs/<str:run_id>/live", run.run_live, name="run-live"),
    path("runs/<str:run_id>/nodes/<str:node_id>.json", node.node_page, name="node-json"),
    path("runs/<str:run_id>/nodes/<str:node_id>/", node.node_page, name="node"),
    path("runs/<str:run_id>/nodes/<str:node_id>/live", node.node_live, name="node-live"),
    path("runs/<str:run_id>/events/<int:seq>.json", events.event_page, name="event-json"),
    path("runs/<str:run_id>/events/<int:seq>/", events.event_page, name="event"),
    path("runs/<str:run_id>/events/<int:seq>/p/<str:digest>/", events.payload, name="payload"),
    path("r/<str:prefix>/", run.by_prefix, name="run-by-prefix"),
    path("in-doubt/", doubts.doubt_list, name="doubts"),
    path("in-doubt.json", doubts.doubt_list, name="doubts-json"),
    path("in-doubt/live", doubts.doubt_list_live, name="doubts-live"),
    path("in-doubt/<str:key>.json", doubts.doubt_document, name="doubt-json"),
    path("in-doubt/<str:key>/", doubts.doubt_page, name="doubt"),
    path("dead-letters/", dead.dead_list, name="dead"),
    path("dead-letters.json", dead.dead_list, name="dead-json"),
    path("dead-letters/<str:fingerprint>.json", dead.group_document, name="dead-group-json"),
    path("dead-letters/<str:fingerprint>/", dead.group_page, name="dead-group"),
    path("breakers/", breakers.breaker_list, name="breakers"),
    path("breakers.json", breakers.breaker_document, name="breakers-json"),
    path("versions/", catalogue.version_list, name="versions"),
    path("versions.json", catalogue.version_list, name="versions-json"),
    path("metrics", catalogue.metrics, name="metrics"),
    path("api/v1/", mounted(api)),
    re_path("^api/v1(?:/|$)", nowhere),
    path("e/", catalogue.code_list, name="codes"),
    path("e/<str:code>.json", catalogue.code_page, name="code-json"),
    path("e/<str:code>/", catalogue.code_page, name="code"),
]
