"""The schema, step by step: Django migrations of the app `nexum`, and the SQL functions of the hot path.

`nexum_dashboard/migrations/__init__.py` points here, so Django reads and writes this folder. Nothing here imports Nexum:
a migration must mean tomorrow what it means today. Modules that are no migrations start with an underscore. A function is
never changed: a new version gets a new name (`nexum_step_v2`), so that during a rolling deploy both exist.
"""
