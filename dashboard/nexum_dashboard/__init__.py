"""The Django app of Nexum: it owns the schema, and shows what the engine's tables hold.

Add `nexum_dashboard` to `INSTALLED_APPS` and run `manage.py migrate`; the app's label is `nexum`. The models below
`models/` are managed and make the tables; the engine reads and writes the same tables through `nexum.store`, and a test
proves that both descriptions agree. The migrations themselves lie in `nexum_migrations`.
"""
