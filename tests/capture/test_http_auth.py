"""HTTP and RTSP authentication, with the examples of the RFCs."""

import pytest

from fer_edge.capture.http_auth import UnknownScheme, login_for

RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_is_that_of_rfc_7616(algorithm: str, response: str) -> None:
    login = login_for([RFC_7616.format(algorithm)], "Mufasa", "Circle of Life")
    header = login.header("GET", "/dir/index.html", 1, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    assert header.startswith('Digest username="Mufasa", realm="http-auth@example.org", nonce="7ypf/')
    assert f'response="{response}"' in header
    assert "qop=auth, nc=00000001" in header
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in header


def test_digest_is_that_of_rfc_2617_and_counts_requests() -> None:
    offer = 'Digest realm="testrealm@host.com", qop="auth", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    login = login_for([offer], "Mufasa", "Circle Of Life")
    assert 'response="6629fae49393a05397450978507c4ef1"' in login.header("GET", "/dir/index.html", 1, "0a4f113b")
    second = login.header("GET", "/dir/index.html", 2, "0a4f113b")
    assert "nc=00000002" in second
    assert "6629fae49393a05397450978507c4ef1" not in second


def test_digest_without_qop_is_that_of_rfc_2069() -> None:
    offer = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    header = login_for([offer], "Mufasa", "CircleOfLife").header("GET", "/dir/index.html", 1, "x")
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in header
    assert "qop" not in header


def test_basic_is_that_of_rfc_7617_in_utf_8() -> None:
    assert login_for(['Basic realm="foo", charset="UTF-8"'], "test", "123£").header("GET", "/", 1, "x") == (
        "Basic dGVzdDoxMjPCow=="
    )


@pytest.mark.parametrize(
    "challenges", [['Basic realm="a"', 'Digest realm="a", nonce="n"'], ['Basic realm="a", Digest realm="b", nonce="n"']]
)
def test_digest_is_preferred_because_it_does_not_send_the_password(challenges: list[str]) -> None:
    assert login_for(challenges, "u", "p").header("GET", "/", 1, "x").startswith("Digest ")


def test_digest_that_cannot_be_computed_gives_way_to_basic_or_is_named() -> None:
    unknown = 'Digest realm="a", nonce="n", algorithm=SHA-512-256'
    assert login_for([unknown, "Basic"], "u", "p").header("GET", "/", 1, "x").startswith("Basic ")
    for challenges in ([unknown], ["NTLM"], ["Digest qop=auth-int"], []):
        with pytest.raises(UnknownScheme):
            login_for(challenges, "u", "p")


def test_challenge_cannot_add_lines_to_the_request() -> None:
    offer = 'Digest realm="a\r\n b", nonce="n\x1b[2J", opaque="o\r\nX: y"'
    header = login_for([offer], 'u"\\', "p").header("GET", "/", 1, "x")
    assert header.isprintable()
    assert 'username="u\\"\\\\"' in header


def test_password_is_in_no_representation() -> None:
    assert "geheim" not in repr(login_for(["Basic"], "anna", "geheim"))
