"""The REST interface, for scripts: start a run, get it, list runs, read events.

It shows the same view-models as the pages. Whoever calls has a token with scopes; errors are problem documents
(RFC 9457) with a code of the catalogue; a start is idempotent under `run_key` or the header `Idempotency-Key`. The
OpenAPI document is made from the code and fuzzed by `make api-fuzz`.
"""
