"""The words in which a page asks what became of an effect in doubt, exactly: a decision about money hangs on them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import httpx

from nexum.store.doubts import doubts
from troubled import doubt, paying

WORDS = """\
What did you find out?
Ask the provider
This effect declares no reconcile handler, so only a person can look at the provider.
[Ask the provider]
It happened: record the result
The node completes with this response. Nothing is sent.
Provider's reference, if it gives one
Response, as JSON: what the handler would have returned
Reason: how you know
Address of what you have seen, if there is one
[Record that it happened]
From a terminal: nexum in-doubt resolve KEY --as happened --response @FILE --reason TEXT
It did not happen: send with the same key
It is sent once more under KEY, unchanged. If it did happen after all, only a provider that knows the key will notice.
Reason: how you know
Address of what you have seen, if there is one
[Allow a retry with the same key]
From a terminal: nexum in-doubt resolve KEY --as did-not-happen --reason TEXT
Give up on this effect
The node fails and nothing is sent. What follows is what the graph says for a failed node. Whether it happened stays unknown.
Reason
[Give up]
From a terminal: nexum in-doubt resolve KEY --as abandon --reason TEXT"""


def test_the_page_asks_in_these_words_and_no_others(shop: Any, operator: httpx.Client) -> None:
    run_id = doubt(shop.stage, paying("Worded", output={}), "worded")
    key = doubts(shop.store, run_id=run_id)[0].key
    page = operator.get(f"/in-doubt/{key}/").text
    part = page.partition('<section id="ways">')[2].partition("</main>")[0].replace(key, "KEY").replace(key[:16], "KEY")
    part = re.sub(r"<details.*?</details>", "", part, flags=re.DOTALL)
    part = re.sub(r"<button[^>]*>([^<]*)</button>", r"\n[\1]\n", part)
    lines = re.sub(r"</?(h2|h3|p|label|textarea|input|section|div|form|fieldset)\b[^>]*>", "\n", part).splitlines()
    words = [" ".join(unescape(re.sub(r"<[^>]+>", "", line)).split()) for line in lines]

    assert "\n".join(word for word in words if word) == WORDS
