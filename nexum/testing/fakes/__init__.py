"""The outside world, faked by real processes that misbehave on demand.

`fakellm` is a language model's HTTP API; `fakepay` is a payment and mail provider that keeps its own ledger, on its own
disk, in its own process. Neither knows anything about Nexum, and neither is believed less when Nexum and the ledger
disagree: what the provider wrote down is what happened. Start one with `running("fakepay", ...)`, or by hand:
`python -m nexum.testing.fakes.fakepay --port 0 --ledger ledger.jsonl`; the first line it prints is `{"port": ...}`.
"""

from __future__ import annotations

from nexum.testing.fakes.process import Fake, running, start

__all__ = ["Fake", "running", "start"]
