"""The example that everything else is judged by: a shop's refund agent.

`agents.py` is the agent as a shop would write it. `claims/` are the cases, with what must come of each in `expected.json`.
`world/` says how the provider and the model behave towards them. `celery_chain.py` is the same agent on plain Celery, as
a competent team would write it. `demo.py` runs both, kills both at the same instants, and lets the provider's ledger
speak.
"""
