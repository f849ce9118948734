"""Who may look."""

import pytest

from fer_edge.preview.guard import COOKIE, host_is_ours, is_loopback, is_token, may_look, ticket

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("localhost.evil.example", False),
    ],
)
def test_only_loopback_is_loopback(address, loopback) -> None:
    assert is_loopback(address) is loopback


def test_page_under_another_name_is_refused_on_loopback_and_answered_where_a_token_proves_it() -> None:
    for host in ("localhost:8090", "127.0.0.1", "[::1]:8090", "LOCALHOST:1"):
        assert host_is_ours(host, None)
    for host in ("evil.example", "evil.example:8090", "127.0.0.1.evil.example", "", "[::2]:8090"):
        assert not host_is_ours(host, None)
        assert host_is_ours(host, TOKEN)


def test_token_is_known_as_bearer_or_by_the_ticket_that_it_was_changed_for() -> None:
    assert may_look(None, {}, "")
    assert may_look(TOKEN, {}, f"Bearer {TOKEN}")
    assert may_look(TOKEN, {COOKIE: ticket(TOKEN)}, "")


def test_nothing_else_opens_the_door() -> None:
    for cookies, authorization in (
        ({}, ""),
        ({}, TOKEN),
        ({}, "Bearer "),
        ({}, f"Bearer {TOKEN[:-1]}"),
        ({}, "Bearer \N{SNOWMAN}"),
        ({COOKIE: TOKEN}, ""),  # the ticket is not the token
        ({COOKIE: ""}, ""),
    ):
        assert not may_look(TOKEN, cookies, authorization)
    assert not is_token(TOKEN, ticket(TOKEN))  # nor the other way round
