"""HTTP network cameras, on real servers that behave like common models."""

import hashlib
import random
import re
import ssl
import subprocess
import threading
import time
from itertools import count
from pathlib import Path

import cv2
import pytest

from fer_edge.capture.opencv import open_ffmpeg
from fer_edge.capture.probe import probe
from fer_edge.capture.sources import open_source
from fer_edge.config.model import CameraSettings
from fer_edge.errors import SourceError, UnusableSource

MULTIPART = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
JPEG_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture
def jpeg(image):
    return lambda number: cv2.imencode(".jpg", image(number % 16))[1].tobytes()


def opened(url: str, **settings):
    return open_source(CameraSettings(source=url, **{"stall_s": 1.0, "rate_hz": 100.0} | settings))


def refusal(url: str, **settings) -> str:
    with pytest.raises(SourceError) as caught:
        opened(url, **settings).close()
    said = str(caught.value)
    assert said.isprintable()
    return said


def numbers(source, number_of, wanted: int) -> list[int]:
    """Of the frames of ``source``, which is closed then."""
    found = []
    while len(found) < wanted and (image := source.read()) is not None:
        found.append(number_of(image))
    source.close()
    return found


def part(head: bytes, body: bytes, after: bytes = b"\r\n") -> bytes:
    return head + b"\r\n" + body + after


DIALECTS = {
    "usual": lambda j: part(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n" % len(j), j),
    "boundary last": lambda j: part(b"Content-Type: image/jpeg\r\n", j, b"\r\n--frame\r\n"),
    "no dashes": lambda j: part(b"frame\r\n", j),
    "another boundary": lambda j: part(b"--other\r\nContent-Type: image/jpeg\r\n", j),
    "no type, no length": lambda j: part(b"--frame\r\n", j),
    "another type": lambda j: part(b"--frame\r\nContent-Type: application/octet-stream; x=y\r\n", j),
    "length too large": lambda j: part(b"--frame\r\nContent-Length: %d\r\n" % (len(j) + 999), j),
    "length too small": lambda j: part(b"--frame\r\nContent-Length: 7\r\n", j),
    "line feeds alone": lambda j: b"--frame\nContent-Type: image/jpeg\n\n" + j + b"\n",
    "nothing between": lambda j: j,
    "empty and text parts": lambda j: (
        b"--frame\r\n\r\n\r\n--frame\r\nContent-Type: text/plain\r\n\r\nhi" + part(b"--frame", j)
    ),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_mjpeg_of_any_dialect_is_read(http_camera, jpeg, number_of, dialect: str) -> None:
    def answer(_request, send):
        send(MULTIPART)
        for number in range(5):
            send(DIALECTS[dialect](jpeg(number)))

    source = opened(http_camera(answer).url())
    assert (source.live, source.format) == (True, "MJPG")
    assert numbers(source, number_of, 9) == [0, 1, 2, 3, 4]


HEADS = {
    "options": b'HTTP/1.1 200 OK\r\nContent-Type: Multipart/X-Mixed-Replace;charset=x; boundary="--frame"\r\n\r\n',
    "ICY": b"ICY 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n",
    "no status line": b"Content-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n",
    "no type": b"HTTP/1.0 200 OK\r\n\r\n",
    "a type that is none": b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n",
}


@pytest.mark.parametrize("head", HEADS)
def test_mjpeg_behind_any_head_is_read(http_camera, jpeg, number_of, head: str) -> None:
    def answer(_request, send):
        send(HEADS[head])
        for number in range(3):
            send(DIALECTS["usual"](jpeg(number)))

    assert numbers(opened(http_camera(answer).url()), number_of, 3) == [0, 1, 2]


def test_chunked_mjpeg_is_read(http_camera, jpeg, number_of) -> None:
    def answer(_request, send):
        send(MULTIPART.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"))
        whole = b"".join(DIALECTS["usual"](jpeg(number)) for number in range(3))
        for at in range(0, len(whole), 100):
            chunk = whole[at : at + 100]
            send(b"%x;name=value\r\n%s\r\n" % (len(chunk), chunk))
        send(b"0\r\n\r\n")

    assert numbers(opened(http_camera(answer).url()), number_of, 9) == [0, 1, 2]


def test_broken_frame_is_left_out(http_camera, image, number_of) -> None:
    def answer(_request, send):
        send(MULTIPART)
        for number in range(4):
            whole = DIALECTS["usual"](cv2.imencode(".jpg", image(number, 640, 480))[1].tobytes())
            send(whole[: len(whole) // 2] if number % 2 else whole)

    assert numbers(opened(http_camera(answer).url()), number_of, 9) == [0, 2]


def test_address_of_single_frames_is_polled_over_one_connection(http_camera, jpeg, number_of) -> None:
    number = count()

    def answer(_request, send):
        body = jpeg(next(number))
        send(JPEG_HEAD % len(body) + body)
        return True

    camera = http_camera(answer)
    source = opened(camera.url("/snapshot.jpg"))
    assert source.format == "JPEG"
    assert numbers(source, number_of, 5) == [0, 1, 2, 3, 4]
    assert camera.connections == 1
    assert camera.requests[-1].startswith("GET /snapshot.jpg HTTP/1.1\nHost: 127.0.0.1:")


def test_address_of_single_frames_is_asked_no_faster_than_its_rate(http_camera, jpeg) -> None:
    asked: list[float] = []

    def answer(_request, send):
        asked.append(time.monotonic())
        send(b"HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg(len(asked)))

    source = opened(http_camera(answer).url(), rate_hz=20.0)
    for _ in range(4):
        assert source.read() is not None
    source.close()
    assert asked[3] - asked[0] >= 0.1  # three waits of 0.05 s between requests, less what a request takes


def test_camera_that_closes_a_kept_connection_is_asked_on_a_new_one(http_camera, jpeg, number_of) -> None:
    number = count()

    def answer(_request, send):
        body = jpeg(next(number))
        send(JPEG_HEAD % len(body) + body)  # and closes, though HTTP/1.1 means to keep it

    assert numbers(opened(http_camera(answer).url()), number_of, 3) == [0, 1, 2]


def test_snapshot_address_that_fails_later_reports_the_reason(http_camera, jpeg) -> None:
    number = count()

    def answer(_request, send):
        body = jpeg(0)
        send(JPEG_HEAD % len(body) + body if next(number) == 0 else b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    source = opened(http_camera(answer).url())
    source.read()
    with pytest.raises(SourceError, match="returns error 503"):
        source.read()
    source.close()


def test_address_that_gives_broken_frames_alone_is_given_up(http_camera, jpeg) -> None:
    number = count()

    def answer(_request, send):
        whole = jpeg(0)
        body = whole if next(number) == 0 else b"\xff\xd8\xff\xd9"
        send(JPEG_HEAD % len(body) + body)
        return True

    source = opened(http_camera(answer).url())
    assert source.read() is not None
    assert source.read() is None
    source.close()


DIGEST = (
    b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="c"\r\n'
    b'WWW-Authenticate: Digest realm="c", nonce="n%d", qop="auth"\r\nContent-Length: 0\r\n\r\n'
)


def proven(request: str, password: str) -> bool:
    """Return whether the request's Digest is that of user anna, computed by hand."""
    fields = dict(re.findall(r'(\w+)="?([^",\s]+)', request.partition("Digest ")[2]))
    if not fields:
        return False

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    uri = request.split()[1]
    middle = f"{fields['nonce']}:{fields['nc']}:{fields['cnonce']}:auth"
    return fields["response"] == md5(f"{md5(f'anna:c:{password}')}:{middle}:{md5(f'GET:{uri}')}")


def test_digest_login_is_used_for_each_frame_and_its_old_challenge_renewed(http_camera, jpeg, number_of) -> None:
    number, challenges = count(), count(1)

    def answer(request, send):
        if proven(request, "p#ss w") and "nc=00000003" not in request:
            body = jpeg(next(number))
            send(JPEG_HEAD % len(body) + body)
        else:
            send(DIGEST % next(challenges))
        return True

    camera = http_camera(answer)
    assert numbers(opened(camera.url("/s?x=1", login="anna:p#ss w@")), number_of, 5) == [0, 1, 2, 3, 4]
    assert not any("Basic" in request for request in camera.requests)


@pytest.mark.parametrize("login", ["anna:p%23ss@", ""])
def test_basic_login_comes_from_address_or_settings_and_only_when_asked_for(
    http_camera, jpeg, login: str, tmp_path: Path
) -> None:
    def answer(request, send):
        if "Authorization: Basic YW5uYTpwI3Nz" not in request:  # anna:p#ss
            send(b'HTTP/1.0 401 No\r\nWWW-Authenticate: Basic realm="c"\r\n\r\n')
        else:
            send(MULTIPART + DIALECTS["usual"](jpeg(3)))

    secret = tmp_path / "secret"
    secret.write_text("p#ss\n")
    secret.chmod(0o600)
    own = {} if login else {"username": "anna", "password_file": str(secret)}
    camera = http_camera(answer)
    opened(camera.url(login=login), **own).close()
    assert "Authorization" not in camera.requests[0]


def test_wrong_password_missing_password_and_unknown_scheme_are_distinguished(http_camera) -> None:
    basic = http_camera(lambda _, send: send(b"HTTP/1.0 401 No\r\nWWW-Authenticate: Basic\r\n\r\n"))
    assert refusal(basic.url(login="anna:falsch@")).endswith("/video: user or password refused")
    assert "needs a user and password" in refusal(basic.url())
    other = http_camera(lambda _, send: send(b"HTTP/1.0 401 No\r\nWWW-Authenticate: N\x1b[31m\r\n\r\n"))
    assert "requires authentication that is neither Basic nor Digest" in refusal(other.url(login="a:b@"))


def test_password_file_that_cannot_be_read_is_named_and_may_come_later(http_camera, tmp_path: Path) -> None:
    camera = http_camera(lambda _, send: send(b"HTTP/1.0 404 No\r\n\r\n"))
    said = refusal(camera.url(), username="anna", password_file=str(tmp_path / "none"))
    assert said.startswith("camera.password_file: cannot read")
    assert camera.requests == []


def test_password_file_that_others_may_read_is_named_by_check_and_not_at_each_attempt(
    http_camera, jpeg, tmp_path: Path, caplog
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x\n")
    secret.chmod(0o644)
    camera = http_camera(lambda _, send: send(MULTIPART + b"".join(map(DIALECTS["usual"], [jpeg(1)] * 3))))
    settings = CameraSettings(source=camera.url(), username="anna", password_file=str(secret), stall_s=1.0)
    open_source(settings).close()
    assert "chmod 600" not in caplog.text
    probe(settings)
    assert caplog.text.count("chmod 600") == 1


def test_redirect_on_the_same_host_is_followed_and_no_other(http_camera, jpeg, number_of) -> None:
    elsewhere = http_camera(lambda _, send: send(MULTIPART))

    def answer(request, send):
        if "GET /there" in request:
            send(MULTIPART + DIALECTS["usual"](jpeg(7)))
        elif "GET /out" in request:
            send(b"HTTP/1.1 302 Found\r\nLocation: http://localhost:%d/x\r\n\r\n" % elsewhere.port)
        elif "GET /file" in request:
            send(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n")
        elif "GET /round" in request:
            send(b"HTTP/1.1 302 Found\r\nLocation: /round\r\n\r\n")
        else:
            send(b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n")

    camera = http_camera(answer)
    assert numbers(opened(camera.url()), number_of, 1) == [7]
    assert "redirects to another host, http://localhost" in refusal(camera.url("/out"))
    assert elsewhere.connections == 0
    assert "redirects to an invalid address" in refusal(camera.url("/file"))
    assert "too many redirects" in refusal(camera.url("/round"))


LISTS = {
    "HLS by its type": b"Content-Type: application/vnd.apple.mpegurl\r\n\r\n#EXTM3U\nhttp://%s/a.ts\n",
    "HLS by its words": b"Content-Type: video/mp2t\r\n\r\n#EXTM3U\n#EXTINF:3,\nhttp://%s/a.ts\n#EXT-X-ENDLIST\n",
    "SDP": b"Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 127.0.0.1\r\n%s",
    "ffconcat": b"Content-Type: video/mp4\r\n\r\nffconcat version 1.0\nfile 'http://%s/a.ts'\n",
    "DASH": b"Content-Type: application/dash+xml\r\n\r\n<MPD><BaseURL>http://%s/</BaseURL></MPD>",
}


@pytest.mark.parametrize("name", LISTS)
def test_answer_that_names_other_addresses_is_refused_and_none_of_them_is_fetched(http_camera, name: str) -> None:
    victim = http_camera(lambda _, send: send(MULTIPART))
    answer = b"HTTP/1.0 200 OK\r\n" + LISTS[name] % f"127.0.0.1:{victim.port}".encode()
    said = refusal(http_camera(lambda _, send: send(answer)).url("/live"))
    assert "which only refers to the stream: use the address of the stream itself" in said
    assert victim.connections == 0


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The same ten frames as MPEG-TS, as a stream begins that never ends, and as MP4, a recording."""
    folder = tmp_path_factory.mktemp("videos")
    found = {}
    for suffix in ("ts", "mp4"):
        path = folder / f"a.{suffix}"
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (96, 64))
        assert writer.isOpened()
        for number in range(10):
            writer.write(cv2.merge([cv2.UMat(64, 96, cv2.CV_8U, float(8 + 16 * number)).get()] * 3))
        writer.release()
        found[suffix] = path.read_bytes()
    return found


def test_video_by_http_is_read_without_ffmpeg_opening_an_address(http_camera, videos, number_of) -> None:
    camera = http_camera(lambda _, send: send(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + videos["ts"]))
    source = opened(camera.url())
    assert source.live
    assert numbers(source, number_of, 99) == list(range(10))
    assert camera.connections == 1


def test_video_by_http_that_falls_silent_is_given_up(http_camera, videos, number_of) -> None:
    asked = threading.Event()

    def answer(_request, send):
        send(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + videos["ts"])
        asked.wait(20.0)

    source = opened(http_camera(answer).url(), stall_s=2.0)
    seen = numbers(source, number_of, 99)
    asked.set()
    assert 0 < len(seen) <= 10


def test_recording_by_http_is_refused_for_good(http_camera, videos) -> None:
    head = b"HTTP/1.0 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % len(videos["mp4"])
    camera = http_camera(lambda _, send: send(head + videos["mp4"]))
    with pytest.raises(UnusableSource, match="a recording, not a camera"):
        opened(camera.url())


def test_ffmpeg_opens_no_file_that_a_list_names(tmp_path: Path, videos) -> None:
    if cv2.__version__.startswith("4.11"):
        pytest.skip("OpenCV 4.11 does not pass FFmpeg's options on")
    (tmp_path / "a.ts").write_bytes(videos["ts"])
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    assert open_ffmpeg(str(tmp_path / "a.ts")).isOpened()
    assert not open_ffmpeg(str(playlist)).read()[0]


WORDS = [
    (b"HTTP/1.1 403 Forbidden\r\n\r\n", "the camera forbids it (403)"),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", "no such stream: check the path"),
    (b"HTTP/1.0 503 Service Unavailable\r\n\r\n", "returns error 503"),
    (b"HTTP/1.0 204 No Content\r\n\r\n", "returns status 204"),
    (b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html>", "not a video but text/html"),
    (
        b"HTTP/1.1 200 OK\r\nContent-Type: video/x\x1b[2J\r\n\r\nhello",
        "it responds (video/x\\x1b[2j), but sends no video",
    ),
    (b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n", "it responds (image/jpeg), but sends no JPEG image"),
    (MULTIPART + b"--frame\r\n\r\n\xff\xd8\xff\xd9" * 3, "no JPEG image that can be decoded (3 cannot)"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "its response is not HTTP"),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, "its response is not HTTP"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, "its response is not HTTP"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "not a camera: check the port"),
    (b"", "not a camera: check the port"),
]


@pytest.mark.parametrize(("answer", "words"), WORDS)
def test_response_of_the_camera_is_described(http_camera, answer: bytes, words: str) -> None:
    assert words in refusal(http_camera(lambda _, send: send(answer)).url())


def test_frame_too_large_for_the_device_is_refused_before_it_is_decoded(http_camera, jpeg) -> None:
    whole = jpeg(1)
    at = whole.index(b"\xff\xc0") + 5
    huge = whole[:at] + b"\xea\x60\xea\x60" + whole[at + 4 :]
    camera = http_camera(lambda _, send: send(MULTIPART + huge))
    assert "sends frames of 60000x60000 pixels, more than the limit of 33554432" in refusal(camera.url())


def test_stream_that_drips_is_given_up_like_one_that_is_silent(http_camera, jpeg) -> None:
    def answer(_request, send):
        send(MULTIPART + DIALECTS["usual"](jpeg(1)))
        while True:
            send(b".")
            time.sleep(0.05)

    source = opened(http_camera(answer).url())
    assert source.read() is not None
    assert source.read() is None
    source.close()


def test_https_camera_is_read_with_whatever_certificate_it_has(http_camera, jpeg, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    options = ["-newkey", "rsa:1024", "-nodes", "-days", "1", "-subj", "/CN=camera"]
    command = ["openssl", "req", "-x509", *options, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(certificate, key)
    camera = http_camera(lambda _, send: send(MULTIPART + DIALECTS["usual"](jpeg(1))), context)
    opened(camera.url(scheme="HTTPS")).close()


def test_plain_camera_at_an_https_address_is_reported(http_camera) -> None:
    camera = http_camera(lambda _, send: send(MULTIPART))
    assert "the encrypted connection failed" in refusal(camera.url(scheme="https"))


def test_mutated_answers_give_frames_or_the_one_error(http_camera, jpeg) -> None:
    valid = MULTIPART + b"".join(DIALECTS["usual"](jpeg(number)) for number in range(3))
    chunked = MULTIPART.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n") + b"5\r\n--a\r\n\r\n0\r\n\r\n"
    drawn = random.Random(15)
    answers = []
    for number in range(150):
        damaged = bytearray(drawn.choice([valid, valid, chunked]))
        for _ in range(drawn.randint(1, 6)):
            at = drawn.randrange(min(len(damaged), 200 if number % 2 else len(damaged)))
            damaged[at : at + drawn.choice([0, 1, 1, 40])] = drawn.randbytes(drawn.choice([0, 1, 2]))
        answers.append(bytes(damaged))
    left = iter(answers)
    camera = http_camera(lambda _, send: send(next(left, b"")))
    assert sum(images_or_the_one_error(camera.url()) for _ in answers) > 100


def images_or_the_one_error(url: str) -> int:
    """Number of frames before the end or SourceError; anything else is raised."""
    seen, source = 0, None
    try:
        source = opened(url)
        while source.read() is not None:
            seen += 1
    except SourceError:
        pass
    finally:
        if source is not None:
            source.close()
    return seen


# A frame of 16x16 without tables.
BROKEN_JPEG = b"\xff\xd8\xff\xc0\0\x0b\x08\0\x10\0\x10\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0\x55\xff\xd9"


@pytest.mark.parametrize("head", [JPEG_HEAD % len(BROKEN_JPEG), MULTIPART], ids=["polled", "stream"])
def test_frames_of_which_none_can_be_decoded_end_a_read_within_its_limit(http_camera, jpeg, head) -> None:
    answers = count()

    def answer(_request, send) -> None:
        if head == MULTIPART:
            send(MULTIPART + part(b"--frame\r\n", jpeg(0)))
            while True:
                send(part(b"--frame\r\n", BROKEN_JPEG))
        elif next(answers):
            send(head + BROKEN_JPEG)
        else:
            send(JPEG_HEAD % len(jpeg(0)) + jpeg(0))

    source = opened(http_camera(answer).url())
    assert source.read() is not None
    assert source.read() is None
    source.close()
