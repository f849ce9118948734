"""Authentication of the page."""

import pytest

from fer_edge.web.auth import FREE_GUESSES, MAX_ADDRESSES, Authenticator, AuthResult, host_is_ours, is_loopback

TOKEN = "0123456789abcdef"
ADDRESS = "192.0.2.7"


@pytest.fixture
def door() -> Authenticator:
    return Authenticator(TOKEN)


def guess(door: Authenticator, times: int, now: float, address: str = ADDRESS) -> list[AuthResult]:
    return [door.authenticate(f"wrong {number}", "", address, now) for number in range(times)]


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
        assert host_is_ours(host, has_token=False)
    for host in ("evil.example", "evil.example:8090", "127.0.0.1.evil.example", "", "[::2]:8090"):
        assert not host_is_ours(host, has_token=False)
        assert host_is_ours(host, has_token=True)


def test_token_opens_the_door_and_so_does_the_cookie_that_it_was_changed_for_after_a_restart_as_well(door) -> None:
    assert door.authenticate(TOKEN, "", ADDRESS, 0.0) is AuthResult.OPEN
    assert door.authenticate("", door.cookie, ADDRESS, 0.0) is AuthResult.OPEN
    restarted = Authenticator(TOKEN)
    assert restarted.cookie != door.cookie
    assert restarted.authenticate("", door.cookie, ADDRESS, 0.0) is AuthResult.OPEN


@pytest.mark.parametrize(
    ("shown", "cookie"),
    [
        (TOKEN[:-1], ""),
        (TOKEN + "x", ""),
        ("\N{SNOWMAN}", ""),
        ("\ud800", ""),
        ("", TOKEN),  # the cookie is not the token
        ("", "\udcff."),
        (Authenticator(TOKEN).cookie, ""),  # nor the other way round
        ("", Authenticator(TOKEN[::-1]).cookie),
    ],
)
def test_nothing_else_opens_the_door(door, shown, cookie) -> None:
    assert door.authenticate(shown, cookie, ADDRESS, 0.0) is AuthResult.WRONG
    assert door.authenticate("", "", ADDRESS, 0.0) is AuthResult.ASK


def test_wrong_tokens_of_an_address_cost_it_a_wait_that_doubles_and_ends(door) -> None:
    assert guess(door, FREE_GUESSES, 0.0) == [AuthResult.WRONG] * FREE_GUESSES
    assert door.authenticate(TOKEN, "", ADDRESS, 0.5) is AuthResult.WAIT  # not even looked at
    assert door.wait_s(ADDRESS, 0.5) == 0.5
    assert guess(door, 1, 1.0) == [AuthResult.WRONG]
    assert door.wait_s(ADDRESS, 1.0) == 2.0
    now = 3.0
    for _ in range(10):
        guess(door, 1, now)
        now += door.wait_s(ADDRESS, now)
    assert guess(door, 1, now) == [AuthResult.WRONG]
    assert door.wait_s(ADDRESS, now) == 30.0
    assert door.authenticate(TOKEN, "", ADDRESS, now + 30.0) is AuthResult.OPEN


def test_other_addresses_and_whoever_was_let_in_from_the_same_one_do_not_wait(door) -> None:
    guess(door, 50, 0.0)
    assert door.authenticate(TOKEN, "", "192.0.2.8", 0.0) is AuthResult.OPEN
    assert door.authenticate("", door.cookie, ADDRESS, 0.0) is AuthResult.OPEN
    assert door.authenticate("", Authenticator(TOKEN).cookie, ADDRESS, 0.0) is AuthResult.WAIT  # that could be a guess


def test_one_machine_has_one_limit_for_all_ipv6_addresses_of_its_network(door) -> None:
    for number in range(FREE_GUESSES):
        guess(door, 1, 0.0, f"2001:db8::{number:x}")
    assert door.authenticate(TOKEN, "", "2001:db8::ffff", 0.0) is AuthResult.WAIT
    assert door.authenticate(TOKEN, "", "2001:db8:0:1::1", 0.0) is AuthResult.OPEN


def test_slips_of_a_keyboard_ten_minutes_apart_cost_nothing(door) -> None:
    for number in range(3 * FREE_GUESSES):
        assert guess(door, 1, 601.0 * number) == [AuthResult.WRONG]


def test_burst_of_wrong_tokens_is_reported_once_when_it_is_over_and_each_minute_while_it_goes_on(door) -> None:
    assert door.bursts(0.0) == []
    guess(door, 57, 0.0)
    assert door.bursts(9.0) == []
    assert door.bursts(10.0) == [(ADDRESS, 57)]
    assert door.bursts(11.0) == []
    for second in range(20, 81):
        guess(door, 1, float(second))
    assert door.bursts(80.0) == [(ADDRESS, 61)]


def test_memory_for_wrong_tokens_is_bounded_and_the_latest_are_remembered(door) -> None:
    for number in range(2 * MAX_ADDRESSES):
        guess(door, 1, 0.0, f"10.0.{number // 256}.{number % 256}")
    assert len(door.bursts(100.0)) == MAX_ADDRESSES
    guess(door, FREE_GUESSES, 0.0)
    assert door.wait_s(ADDRESS, 0.0) == 1.0
