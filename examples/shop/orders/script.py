"""What the model answers in this example, without a model."""

from __future__ import annotations

from nexum_workers.models.scripted import Rule, Script

JUDGE = Script(
    rules=(
        Rule("broken", ('{"refund": true, "score": 92, "reason": "arrived broken"}',)),
        Rule("changed my mind", ('{"refund": false, "score": 88, "reason": "no defect"}',)),
    ),
    default=Rule("", ('{"refund": false, "score": 30, "reason": "cannot tell"}',)),
)
