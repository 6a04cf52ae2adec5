"""The addresses of the standalone site: the dashboard below `/nexum/`, and nothing else."""

from __future__ import annotations

from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(url="/nexum/")),
    path("nexum/", include("nexum_dashboard.urls")),
]
