"""`nexum breaker`: where each stands, and what a person makes of it."""

from __future__ import annotations

from shopfloor import Shop

WHY = ("--reason", "the provider announced maintenance")


def test_a_breaker_is_held_open_closed_and_let_go(shop: Shop) -> None:
    nobody = shop.nexum("breaker", "list")
    opened = shop.nexum("breaker", "open", "stripe.refund", *WHY, "--for", "1h", "--actor", "mika", "--json").json
    listed = shop.nexum("breaker", "list", "--json").json["breakers"]
    closed = shop.nexum("breaker", "close", "stripe.refund", *WHY, "--actor", "mika")
    anew = shop.nexum("breaker", "auto", "stripe.refund", *WHY)

    assert (nobody.code, nobody.out) == (0, "No breaker has counted a failure.\n")
    assert (opened["action"], opened["before"], opened["after"]) == ("breaker_open", "closed", "open")
    assert [(each["name"], each["by"], each["reason"]) for each in listed] == [("stripe.refund", "mika", WHY[1])]
    assert listed[0]["next_probe"] == listed[0]["forced_until"] is not None
    assert closed.out == "stripe.refund is closed, held by mika\n"
    assert anew.out == "stripe.refund is closed\n"
    assert "stripe.refund" in shop.nexum("breaker", "list").out


def test_breakers_of_two_tenants_are_told_apart(shop: Shop) -> None:
    shop.nexum("breaker", "open", "stripe.refund", *WHY)
    shop.nexum("breaker", "open", "stripe.refund", *WHY, "--tenant", "acme")
    listed = shop.nexum("breaker", "list").out.splitlines()
    mine = shop.nexum("breaker", "list", "--tenant", "acme", "--json").json["breakers"]

    assert [row.split()[:2] for row in listed[1:]] == [["stripe.refund", "acme"], ["stripe.refund", "default"]]
    assert [line["tenant"] for line in mine] == ["acme"]


def test_a_decision_without_a_reason_is_none(shop: Shop) -> None:
    missing = shop.nexum("breaker", "open", "stripe.refund")
    blank = shop.nexum("breaker", "open", "stripe.refund", "--reason", " ")

    assert missing.code == 64
    assert (blank.code, "NX-E441" in blank.err) == (65, True)
