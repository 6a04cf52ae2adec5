"""The compiled workflow: pure data, language neutral, complete.

An engine that has a graph and a run's events needs nothing else to decide. A graph is closed (unknown fields are
refused) and extensible by omission: absent and default-valued fields are left out of the canonical form, so a field
added later changes no existing hash. The version of a workflow is the hash of that form.
"""
