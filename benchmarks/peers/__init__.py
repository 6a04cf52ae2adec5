"""The others: raw Celery, and DBOS in an environment of its own. A peer that cannot be had is skipped with its reason.

Each peer is a process that is started once and asked for one workload after the other, so that its rounds can be taken in
turn with Nexum's. Its settings are those of its documentation for durable use; what was chosen is written where it is set.
"""
