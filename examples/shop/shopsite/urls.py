"""The shop's urls; Nexum's dashboard is one line."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from orders import views

urlpatterns = [
    path("", views.file_claim, name="file-claim"),
    path("claims/<int:pk>/", views.claim_filed, name="claim-filed"),
    path("admin/", admin.site.urls),
    path("nexum/", include("nexum_dashboard.urls")),
]
