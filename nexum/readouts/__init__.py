"""What people and scripts see of runs: one view-model per page, rendered as HTML, JSON and text alike.

A readout is a frozen Pydantic model, so that its JSON, its JSON Schema and the OpenAPI document come from one place, and
a page cannot show what the API does not know. Each is made in two steps: a `read_*` function asks the store, and pure
functions over the rows do the rest. Times are microseconds inside and RFC 3339 in JSON; durations are seconds in JSON.

Files: `document` what all share · `calendar` instants as dates · `filters` the filter language · `situation` rows to a
standing · `runs` the list · `history` events to attempts · `run` one run · `node` one node · `events` the log · `payload`
bodies · `versions` what is installed · `metrics` sums for Prometheus.
"""
