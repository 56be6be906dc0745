"""Downloads from a server on this machine that breaks off, stalls, lies and changes its mind."""

from __future__ import annotations

import errno
import hashlib
import http.server
import importlib
import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tsprout import __version__, locks, staging
from tsprout.data.catalog import _http
from tsprout.data.catalog.download import download, failure
from tsprout.errors import InputError, TsproutError

module = importlib.import_module("tsprout.data.catalog.download")
ROOT = Path(__file__).resolve().parents[3]
DATA = random.Random(0).randbytes(200_000)
OTHER = random.Random(1).randbytes(150_000)
PAGE = b"\n<!DOCTYPE html><html><title>Log in</title></html>"
MODIFIED = "Wed, 01 Jan 2025 00:00:00 GMT"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves ``body`` at every path; its attributes say how badly, ``seen`` and ``sent`` what was asked and sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = DATA
        self.etag: str | None = '"one"'
        self.modified: str | None = MODIFIED
        self.ranges = True
        self.if_range = True
        self.cuts: list[int] = []  # bytes after which the next answers break off
        self.errors: list[tuple[int, dict[str, str]]] = []  # the next answers instead of the file
        self.extra: dict[str, str] = {}
        self.framing = "length"  # or "chunked", or "none"
        self.claim_ranges = "bytes {start}-{end}/{total}"
        self.pace: Callable[[int], None] = lambda sent: None  # called after each five kilobytes
        self.before: Callable[[], None] = lambda: None
        self.seen: list[dict[str, str | None]] = []
        self.sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data/set.bin"

    @property
    def asked(self) -> list[str | None]:
        return [request["Range"] for request in self.seen]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        names = ("Range", "If-Range", "User-Agent", "Accept-Encoding")
        server.seen.append({"path": self.path, **{name: self.headers.get(name) for name in names}})
        server.before()
        if server.errors:
            code, headers = server.errors.pop(0)
            self.send_response(code)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            return self.end_headers()
        body, total, start, code = server.body, len(server.body), 0, 200
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        same = condition in (None, server.etag, server.modified) or not server.if_range
        if asked and server.ranges and same:
            start, code = int(asked[1]), 206
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                return self.end_headers()
        self.send_response(code)
        if code == 206:
            self.send_header("Content-Range", server.claim_ranges.format(start=start, end=total - 1, total=total))
        for title, text in {"ETag": server.etag, "Last-Modified": server.modified, **server.extra}.items():
            if text is not None:
                self.send_header(title, text)
        if server.framing == "length":
            self.send_header("Content-Length", str(total - start))
        elif server.framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else None
        self.send_body(body[start:] if cut is None else body[start : start + cut], whole=cut is None)
        return None

    def send_body(self, body: bytes, *, whole: bool) -> None:
        chunked = self.server.framing == "chunked"
        try:
            for first in range(0, len(body), 5000):
                piece = body[first : first + 5000]
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" if chunked else piece)
                self.server.sent += len(piece)
                self.server.pace(first + len(piece))
            if chunked and whole:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
        try:
            yield running
        finally:
            running.shutdown()


class Waits(list[float]):
    """Instead of sleeping: notes for how long it would have been, and fails where that never ends."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)
        assert len(self) < 100


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "made" / "set.bin"


def left(target: Path) -> list[str]:
    return sorted(os.listdir(target.parent))


def hold(gate: threading.Event, now: bool = True) -> None:
    """Let the server stand still until the gate opens."""
    if now:
        gate.wait(10)


def half_a_part(server: Server, target: Path, n_bytes: int = 80_000) -> None:
    """What a call that was interrupted leaves behind."""
    server.cuts = [n_bytes]
    with pytest.raises(TsproutError):
        download(server.url, target, attempts=1)
    assert left(target) == ["set.bin.part", "set.bin.part.json"]
    assert (target.parent / "set.bin.part").stat().st_size == n_bytes
    server.seen.clear()
    server.sent = 0


def test_plain(server: Server, target: Path, waits: Waits) -> None:
    seen: list[tuple[int, int | None]] = []
    found = download(server.url, target, progress=lambda done, total: seen.append((done, total)), wait=waits)
    assert found == digest(DATA) and target.read_bytes() == DATA
    assert left(target) == ["set.bin"] and waits == []
    assert server.seen[0] == {
        "path": "/data/set.bin",
        "Range": None,
        "If-Range": None,
        "User-Agent": f"tsprout/{__version__}",
        "Accept-Encoding": "identity",
    }
    assert seen[0] == (0, len(DATA)) and seen[-1] == (len(DATA), len(DATA)) and seen == sorted(seen)
    assert len(server.seen) == 1


@pytest.mark.parametrize("framing", ["chunked", "none"])
def test_without_a_length(server: Server, target: Path, framing: str) -> None:
    server.framing = framing
    seen: list[tuple[int, int | None]] = []
    assert download(server.url, target, progress=lambda *now: seen.append(now)) == digest(DATA)
    assert {total for _, total in seen[:-1]} == {None} and seen[-1] == (len(DATA), len(DATA))


def test_empty_file(server: Server, target: Path) -> None:
    server.body = b""
    assert download(server.url, target, size=0) == digest(b"")
    assert target.read_bytes() == b"" and left(target) == ["set.bin"]


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_goes_on_after_breaks(server: Server, target: Path, waits: Waits, framing: str) -> None:
    server.framing = framing
    server.cuts = [30_000, 20_000, 0, 0, 0, 70_000, 10_000, 5_000, 1_000, 1_000]
    seen: list[tuple[int, int | None]] = []
    assert download(server.url, target, progress=lambda *now: seen.append(now), wait=waits) == digest(DATA)
    ends = [30_000, 50_000, 50_000, 50_000, 50_000, 120_000, 130_000, 135_000, 136_000, 137_000]
    assert server.asked == [None, *(f"bytes={end}-" for end in ends)]
    assert {request["If-Range"] for request in server.seen[1:]} == {'"one"'}
    assert server.sent == len(DATA)
    assert waits == [1, 1, 2, 4, 8, 1, 1, 1, 1, 1]
    done = [now for now, _ in seen]
    assert done == sorted(done) and done[-1] == len(DATA)


def test_gives_up_when_nothing_more_comes(server: Server, target: Path, waits: Waits) -> None:
    server.cuts = [30_000, *[0] * 20]
    with pytest.raises(TsproutError, match="broke off after 30000 of 200000 bytes") as caught:
        download(server.url, target, wait=waits)
    assert waits == [1, 2, 4, 8] and len(server.seen) == 5
    assert "goes on from there" in str(caught.value.fix)
    server.cuts = []
    assert download(server.url, target, wait=waits) == digest(DATA)
    assert server.asked[-1] == "bytes=30000-" and server.sent == len(DATA)


def test_goes_on_where_an_earlier_call_stopped(server: Server, target: Path, waits: Waits) -> None:
    half_a_part(server, target)
    seen: list[tuple[int, int | None]] = []
    assert download(server.url, target, progress=lambda *now: seen.append(now), wait=waits) == digest(DATA)
    assert server.asked == ["bytes=80000-"] and server.sent == len(DATA) - 80_000
    assert seen[0] == (80_000, len(DATA)) and left(target) == ["set.bin"] and waits == []


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
def test_goes_on_where_a_killed_process_stopped(server: Server, target: Path) -> None:
    gate = threading.Event()
    server.pace = lambda sent: hold(gate, sent == 100_000)
    process = fetch_elsewhere(server.url, target)
    try:
        part = target.parent / "set.bin.part"
        until(lambda: part.exists() and part.stat().st_size >= 100_000)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=10)
    finally:
        process.kill()
        gate.set()
    assert left(target) == ["set.bin.part", "set.bin.part.json", "set.bin.part.lock"]
    server.seen.clear()
    assert download(server.url, target) == digest(DATA)
    assert server.asked == ["bytes=100000-"] and left(target) == ["set.bin"]


def test_complete_part_needs_no_network(server: Server, target: Path) -> None:
    target.parent.mkdir()
    (target.parent / "set.bin.part").write_bytes(DATA)
    notes = {"url": server.url, "etag": '"one"', "modified": None, "total": len(DATA)}
    (target.parent / "set.bin.part.json").write_text(json.dumps(notes))
    assert download(server.url, target, sha256=digest(DATA)) == digest(DATA)
    assert server.seen == [] and left(target) == ["set.bin"]


def test_complete_part_of_unknown_length(server: Server, target: Path) -> None:
    target.parent.mkdir()
    (target.parent / "set.bin.part").write_bytes(DATA)
    notes = {"url": server.url, "etag": '"one"', "modified": None, "total": None}
    (target.parent / "set.bin.part.json").write_text(json.dumps(notes))
    assert download(server.url, target) == digest(DATA)  # by way of 416
    assert server.asked == [f"bytes={len(DATA)}-"] and server.sent == 0


@pytest.mark.parametrize("state", ["shorter", "longer"])
def test_part_that_no_range_fits(server: Server, target: Path, waits: Waits, state: str) -> None:
    half_a_part(server, target)
    server.if_range = False
    server.body = OTHER[:70_000] if state == "shorter" else OTHER
    server.etag = '"two"'
    assert download(server.url, target, wait=waits) == digest(server.body)
    assert server.asked == ["bytes=80000-", None]


def test_server_without_ranges(server: Server, target: Path, waits: Waits) -> None:
    server.ranges = False
    server.cuts = [100_000, 150_000]
    assert download(server.url, target, wait=waits) == digest(DATA)
    assert server.asked == [None, "bytes=100000-", "bytes=150000-"] and waits == [1, 1]


def test_server_without_ranges_that_never_gets_further(server: Server, target: Path, waits: Waits) -> None:
    server.ranges = False
    server.cuts = [100_000] * 50
    with pytest.raises(TsproutError, match="broke off"):
        download(server.url, target, wait=waits)
    assert len(server.seen) == 5


def test_file_changed_between(server: Server, target: Path) -> None:
    half_a_part(server, target)
    server.body, server.etag, server.modified = OTHER, '"two"', MODIFIED.replace("2025", "2026")
    assert download(server.url, target) == digest(OTHER)
    assert server.asked == ["bytes=80000-"] and server.seen[0]["If-Range"] == '"one"'
    assert target.read_bytes() == OTHER


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_date_instead_of_a_strong_etag(server: Server, target: Path, etag: str | None) -> None:
    server.etag = etag
    half_a_part(server, target)
    server.body, server.modified = OTHER, MODIFIED.replace("2025", "2026")
    assert download(server.url, target) == digest(OTHER)
    assert server.seen[0]["If-Range"] == MODIFIED


@pytest.mark.parametrize("etag", [None, '"one"'])
def test_change_at_a_server_that_ignores_the_condition(
    server: Server, target: Path, waits: Waits, etag: str | None
) -> None:
    server.etag = etag
    half_a_part(server, target)
    server.body, server.if_range = DATA[::-1], False
    server.etag, server.modified = etag and '"two"', MODIFIED if etag else MODIFIED.replace("2025", "2026")
    assert download(server.url, target, wait=waits) == digest(DATA[::-1])
    assert server.asked == ["bytes=80000-", None]


@pytest.mark.parametrize("claim", ["bytes 0-9/200000", "nonsense", "bytes 80000-99999/80000", "bytes */200000"])
def test_another_piece_than_asked_for(server: Server, target: Path, waits: Waits, claim: str) -> None:
    half_a_part(server, target)
    server.claim_ranges = claim
    assert download(server.url, target, wait=waits) == digest(DATA)
    assert server.asked == ["bytes=80000-", None]


def test_total_smaller_than_the_part(server: Server, target: Path, waits: Waits) -> None:
    server.framing = "chunked"
    half_a_part(server, target)
    server.claim_ranges = "bytes 80000-99999/80000"
    assert download(server.url, target, wait=waits) == digest(DATA)
    assert server.asked == ["bytes=80000-", None]


def test_range_of_unknown_total(server: Server, target: Path) -> None:
    half_a_part(server, target)
    server.claim_ranges = "bytes {start}-{end}/*"
    assert download(server.url, target) == digest(DATA)
    assert server.asked == ["bytes=80000-"]


def test_nothing_identifies_the_part(server: Server, target: Path, waits: Waits) -> None:
    server.etag = server.modified = None
    server.cuts = [80_000]
    assert download(server.url, target, wait=waits) == digest(DATA)
    assert server.asked == [None, None]
    target.unlink()
    server.cuts = [80_000]
    assert download(server.url, target, sha256=digest(DATA), wait=waits) == digest(DATA)
    assert server.asked[2:] == [None, "bytes=80000-"] and server.seen[-1]["If-Range"] is None


def test_useless_part_is_not_kept(server: Server, target: Path, waits: Waits) -> None:
    server.etag = server.modified = None
    server.cuts = [80_000] * 9
    with pytest.raises(TsproutError) as caught:
        download(server.url, target, wait=waits)
    assert "goes on from there" not in str(caught.value) and left(target) == []


@pytest.mark.parametrize(
    "notes",
    ["", "[1]", '{"url": 1, "more": 2}', '{"url": "http://127.0.0.1/else", "etag": "\\"one\\"", "total": 200000}'],
)
def test_part_of_who_knows_what(server: Server, target: Path, notes: str) -> None:
    half_a_part(server, target)
    (target.parent / "set.bin.part.json").write_text(notes)
    assert download(server.url, target, sha256=digest(DATA)) == digest(DATA)
    assert server.asked == [None]


def test_part_longer_than_the_file(server: Server, target: Path) -> None:
    half_a_part(server, target)
    (target.parent / "set.bin.part").write_bytes(DATA + b"more")
    assert download(server.url, target) == digest(DATA)
    assert server.asked == [None]


def test_wrong_bytes_in_the_part_get_a_second_chance(server: Server, target: Path) -> None:
    half_a_part(server, target)
    (target.parent / "set.bin.part").write_bytes(bytes(80_000))
    assert download(server.url, target, sha256=digest(DATA)) == digest(DATA)
    assert server.asked == ["bytes=80000-", None]


def test_wrong_checksum(server: Server, target: Path, waits: Waits) -> None:
    with pytest.raises(TsproutError, match="not the expected file") as caught:
        download(server.url, target, sha256=digest(OTHER), wait=waits)
    assert digest(DATA) in caught.value.what and f"Its sha256 must be {digest(OTHER)}." in str(caught.value.fix)
    assert server.asked == [None, None] and left(target) == [] and waits == []


def test_checksum_in_capitals(server: Server, target: Path) -> None:
    assert download(server.url, target, sha256=digest(DATA).upper()) == digest(DATA)


@pytest.mark.parametrize("framing", ["length", "chunked", "none"])
@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
def test_wrong_size(server: Server, target: Path, waits: Waits, framing: str, size: int) -> None:
    server.framing = framing
    with pytest.raises(TsproutError, match=str(size)):
        download(server.url, target, size=size, wait=waits)
    assert not target.exists()
    if framing == "length" or size < len(DATA):
        assert len(server.seen) == 1 and left(target) == []


def test_endless_stream_is_not_read_to_the_end(server: Server, target: Path) -> None:
    server.framing = "chunked"
    seen: list[int] = []
    with pytest.raises(TsproutError, match="more than the 1000 bytes"):
        download(server.url, target, size=1000, progress=lambda done, total: seen.append(done))
    assert max(seen) == 1001 and left(target) == []


@pytest.mark.parametrize(
    ("code", "said"), [(404, "does not have it"), (410, "does not have it"), (403, "a licence"), (405, "refuses it")]
)
def test_refused_for_good(server: Server, target: Path, waits: Waits, code: int, said: str) -> None:
    server.errors = [(code, {})]
    with pytest.raises(TsproutError, match=said) as caught:
        download(server.url, target, wait=waits)
    error = caught.value
    assert error.what.startswith(f"could not download {server.url}: ") and str(code) in error.what
    assert error.where == str(target)
    assert error.fix == f"Download it by hand and put it at {target}; then run the same command again."
    assert len(server.seen) == 1 and waits == [] and left(target) == [] and error.exit_code == 1


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "3600"}, 60),
        ({"Retry-After": formatdate(time.time() + 9999, usegmt=True)}, 60),
        ({"Retry-After": MODIFIED}, 1),
        ({"Retry-After": "soon"}, 1),
        ({}, 1),
    ],
)
@pytest.mark.parametrize("code", [429, 503])
def test_busy_then_well(
    server: Server, target: Path, waits: Waits, code: int, headers: dict[str, str], pause: float
) -> None:
    server.errors = [(code, headers)]
    assert download(server.url, target, wait=waits) == digest(DATA)
    assert waits == [pause]


def test_not_ready_yet(server: Server, target: Path, waits: Waits) -> None:
    server.errors = [(202, {}), (204, {})]
    with pytest.raises(TsproutError, match="answers 204"):
        download(server.url, target, wait=waits)
    assert waits == [1]


def test_busy_for_long(server: Server, target: Path, waits: Waits) -> None:
    server.errors = [(500, {})] * 99
    with pytest.raises(TsproutError, match="out of order"):
        download(server.url, target, wait=waits, attempts=8)
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_refused_connection(target: Path, waits: Waits) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/set.bin"
    with pytest.raises(TsproutError, match="the server cannot be reached") as caught:
        download(url, target, wait=waits)
    assert waits == [1, 2, 4, 8] and left(target) == [] and url in caught.value.what


def test_server_that_hangs_up_at_once(target: Path, waits: Waits) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            for _ in range(2):
                listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/set.bin"
        with pytest.raises(TsproutError, match="broke off"):
            download(url, target, wait=waits, attempts=2)
        thread.join(5)


def test_stall(server: Server, target: Path, waits: Waits) -> None:
    gate = threading.Event()
    server.pace = lambda sent: hold(gate, len(server.seen) == 1 and sent == 50_000)
    try:
        assert download(server.url, target, timeout=0.15, wait=waits) == digest(DATA)
    finally:
        gate.set()
    assert server.asked == [None, "bytes=50000-"] and waits == [1]


def test_silence(server: Server, target: Path, waits: Waits) -> None:
    gate = threading.Event()
    server.before = lambda: hold(gate)
    try:
        with pytest.raises(TsproutError, match="cannot be reached, or has stopped sending"):
            download(server.url, target, timeout=0.05, attempts=2, wait=waits)
    finally:
        gate.set()


def test_slow_is_not_gone(server: Server, target: Path, waits: Waits) -> None:
    server.body = DATA[:60_000]
    server.pace = lambda sent: time.sleep(0.06)
    began = time.monotonic()
    assert download(server.url, target, timeout=0.5, wait=waits) == digest(server.body)
    assert time.monotonic() - began > 0.5 and len(server.seen) == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirect(server: Server, target: Path, waits: Waits, code: int) -> None:
    server.errors = [(code, {"Location": "/elsewhere.bin"})]
    server.cuts = [80_000]
    assert download(server.url, target, wait=waits) == digest(DATA)
    assert [request["path"] for request in server.seen] == ["/data/set.bin", "/elsewhere.bin", "/data/set.bin"]
    assert server.asked[2] == "bytes=80000-"


def test_range_is_asked_behind_a_redirect(server: Server, target: Path) -> None:
    half_a_part(server, target)
    server.errors = [(302, {"Location": "/elsewhere.bin"})]
    assert download(server.url, target) == digest(DATA)
    assert server.asked == ["bytes=80000-"] * 2 and server.sent == len(DATA) - 80_000


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("goal", ["file:///etc/passwd", "ftp://127.0.0.1/set.bin", "data:,x"])
def test_redirect_to_elsewhere_is_refused(server: Server, target: Path, waits: Waits, goal: str, code: int) -> None:
    server.errors = [(code, {"Location": goal})]
    with pytest.raises(TsproutError, match="only http and https are followed") as caught:
        download(server.url, target, wait=waits)
    assert goal in caught.value.what and len(server.seen) == 1 and left(target) == []


@pytest.mark.parametrize("headers", [{"Location": "/data/set.bin"}, {}])
def test_redirect_in_circles(server: Server, target: Path, waits: Waits, headers: dict[str, str]) -> None:
    server.errors = [(302, headers)] * 50
    with pytest.raises(TsproutError, match="circles|302"):
        download(server.url, target, wait=waits)
    assert waits == [] and len(server.seen) < 20


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "/etc/passwd",
        "http:///x",
        "http://[::1/x",
        "http://127.0.0.1:x/y",
        "",
    ],
)
def test_addresses_that_are_refused(target: Path, url: str) -> None:
    with pytest.raises(InputError, match="http and https|names no server|cannot be read") as caught:
        download(url, target)
    assert str(target) in str(caught.value.fix) and not target.parent.exists()


def test_address_with_a_space(server: Server, target: Path, waits: Waits) -> None:
    with pytest.raises(TsproutError, match="the address cannot be used"):
        download(server.url + " x", target, wait=waits)
    assert waits == []


@pytest.mark.parametrize("page", [PAGE, b"<html>", b"\xef\xbb\xbf <HTML lang='en'>" + b" " * 4000])
def test_web_page_instead_of_the_file(server: Server, target: Path, waits: Waits, page: bytes) -> None:
    server.body = page
    with pytest.raises(TsproutError, match="a web page came instead"):
        download(server.url, target, size=len(DATA), wait=waits)
    assert left(target) == [] and len(server.seen) == 1


def test_web_page_that_was_asked_for(server: Server, target: Path) -> None:
    server.body = PAGE
    assert download(server.url + ".html?x=1", target) == digest(PAGE)


def test_web_page_costs_no_part(server: Server, target: Path) -> None:
    half_a_part(server, target)
    server.body, server.etag, server.modified = PAGE, None, None
    with pytest.raises(TsproutError, match="a web page came instead"):
        download(server.url, target)
    server.body, server.etag, server.modified = DATA, '"one"', MODIFIED
    assert download(server.url, target) == digest(DATA)
    assert server.asked == ["bytes=80000-"] * 2


def test_packed_on_the_way(server: Server, target: Path) -> None:
    server.extra = {"Content-Encoding": "gzip"}
    with pytest.raises(TsproutError, match=r"packed \(gzip\)"):
        download(server.url, target)
    assert download(server.url + ".gz", target) == digest(DATA)  # what is packed itself, and so labelled


def test_existing_target_does_not_touch_the_network(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(DATA)
    assert download(server.url, target, sha256=digest(DATA), size=len(DATA)) == digest(DATA)
    assert download(server.url, target) == digest(DATA)
    assert server.seen == [] and left(target) == ["set.bin"]


@pytest.mark.parametrize("expected", [{"sha256": digest(DATA)}, {"size": len(DATA)}])
def test_existing_target_that_is_another_file(server: Server, target: Path, expected: dict[str, Any]) -> None:
    target.parent.mkdir()
    target.write_bytes(OTHER)
    server.errors = [(404, {})]
    with pytest.raises(TsproutError) as caught:
        download(server.url, target, **expected)
    assert "The file that is there now is not the expected one" in str(caught.value.fix)
    assert target.read_bytes() == OTHER
    assert download(server.url, target, **expected) == digest(DATA)
    assert target.read_bytes() == DATA


def test_target_is_a_folder(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory"):
        download(server.url, tmp_path, size=1)
    assert server.seen == []


def test_path_through_a_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="could not download"):
        download(server.url, tmp_path / "file" / "set.bin")
    assert server.seen == []


@pytest.mark.parametrize("for_real", [True, False])
def test_read_only_folder(server: Server, target: Path, for_real: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    target.parent.mkdir(mode=0o555 if for_real else 0o777)
    if for_real and os.access(target.parent, os.W_OK):
        pytest.skip("this user may write everywhere")
    if not for_real:

        def refuse(path: Any, *_: Any) -> int:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        monkeypatch.setattr(locks.os, "open", refuse)
    with pytest.raises(InputError, match="permission denied") as caught:
        download(server.url, target)
    assert caught.value.where == str(target) and server.url in caught.value.what
    assert server.seen == [] and left(target) == []


def test_disk_full(server: Server, target: Path, waits: Waits, monkeypatch: pytest.MonkeyPatch) -> None:
    append = module._append
    blocks: list[int] = []

    def fill(file: int, block: bytes) -> None:
        blocks.append(len(block))
        if sum(blocks) > 60_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(file, block)

    server.pace = lambda sent: time.sleep(0.05) if sent == 50_000 else None
    with monkeypatch.context() as patch:
        patch.setattr(module, "_append", fill)
        with pytest.raises(TsproutError, match="no space left") as caught:
            download(server.url, target, wait=waits)
    assert "goes on from what has come" in str(caught.value.fix) and caught.value.where == str(target)
    assert waits == [] and left(target) == ["set.bin.part", "set.bin.part.json"]
    kept = (target.parent / "set.bin.part").stat().st_size
    assert 0 < kept <= 60_000
    assert download(server.url, target, wait=waits) == digest(DATA)
    assert server.asked == [None, f"bytes={kept}-"]


def test_disk_that_is_too_small(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1000})()
    monkeypatch.setattr(staging.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InputError, match="needs at least 200.0 kB, and 1.0 kB are free"):
        download(server.url, target)
    assert left(target) == []


def test_ctrl_c_keeps_the_part(server: Server, target: Path) -> None:
    def stop(done: int, total: int | None) -> None:
        if done > 50_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(server.url, target, progress=stop)
    assert left(target) == ["set.bin.part", "set.bin.part.json"]
    kept = (target.parent / "set.bin.part").stat().st_size
    assert kept > 50_000
    assert download(server.url, target) == digest(DATA)
    assert server.asked == [None, f"bytes={kept}-"] and left(target) == ["set.bin"]


def test_errors_of_the_caller_stay_theirs(server: Server, target: Path) -> None:
    def fail(done: int, total: int | None) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        download(server.url, target, progress=fail)


def until(true: Callable[[], bool]) -> None:
    """Wait for what another process or thread does; ten seconds at most."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def fetch_elsewhere(url: str, target: Path) -> subprocess.Popen[str]:
    script = "import sys, pathlib\nfrom tsprout.data.catalog.download import download\n"
    script += "print(download(sys.argv[1], pathlib.Path(sys.argv[2])))"
    arguments = [sys.executable, "-c", script, url, str(target)]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_at_once(server: Server, target: Path) -> None:
    server.pace = lambda sent: time.sleep(0.2) if sent == 100_000 else None
    both = [fetch_elsewhere(server.url, target) for _ in range(2)]
    try:
        found = [process.communicate(timeout=20) for process in both]
    finally:
        for process in both:
            process.kill()
    assert [out.strip() for out, _ in found] == [digest(DATA)] * 2, found
    assert len(server.seen) == 1 and server.sent == len(DATA) and left(target) == ["set.bin"]


@pytest.mark.parametrize("kind", ["flock", "refused", "none"])
def test_many_threads_at_once(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    if kind == "none":
        monkeypatch.setattr(locks, "fcntl", None)
    elif locks.fcntl is None:
        pytest.skip("no flock here")
    elif kind == "refused":

        def refuse(*_: Any) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(locks.fcntl, "flock", refuse)
    server.pace = lambda sent: time.sleep(0.1) if sent == 100_000 else None
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(download, server.url, target, wait=lambda _: time.sleep(0.01)) for _ in range(4)]
        assert {job.result(timeout=20) for job in jobs} == {digest(DATA)}
    assert len(server.seen) == 1 and server.sent == len(DATA) and left(target) == ["set.bin"]


def test_lock_of_a_dead_holder(target: Path, monkeypatch: pytest.MonkeyPatch, waits: Waits) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    target.parent.mkdir()
    mark = target.parent / "set.bin.part.busy"
    mark.touch()

    def later(seconds: float) -> None:
        waits(seconds)
        if len(waits) == 3:
            os.utime(mark, (0, time.time() - locks.STALE - 1))

    lock = locks.Lock(target, later)
    lock.acquire()
    assert waits == [locks.PAUSE] * 3
    os.utime(mark, (0, 0))
    lock.renew()
    assert time.time() - mark.stat().st_mtime < 60
    lock.release()
    assert left(target) == []


@pytest.mark.skipif(locks.fcntl is None, reason="no flock here")
def test_lock_that_is_interrupted_is_not_held(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target.parent.mkdir()

    flock = locks.fcntl.flock

    def interrupt(file: int, how: int) -> None:
        flock(file, how)
        raise KeyboardInterrupt

    monkeypatch.setattr(locks.fcntl, "flock", interrupt)
    with pytest.raises(KeyboardInterrupt):
        locks.Lock(target).acquire()
    with open(target.parent / "set.bin.part.lock", "rb") as file:
        flock(file, locks.fcntl.LOCK_EX | locks.fcntl.LOCK_NB)


@pytest.mark.skipif(locks.fcntl is None, reason="no flock here")
def test_lock_whose_file_went_meanwhile_is_taken_anew(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target.parent.mkdir()
    lock = locks.Lock(target)
    flock, taken = locks.fcntl.flock, []

    def lose(file: int, how: int) -> None:
        flock(file, how)
        taken.append(file)
        if len(taken) < 3:  # as the holder of before does
            lock.place.unlink()

    monkeypatch.setattr(locks.fcntl, "flock", lose)
    lock.acquire()
    assert len(taken) == 3 and lock.file is not None
    assert os.path.samestat(os.fstat(lock.file), os.stat(lock.place))
    lock.release()
    assert left(target) == []


@pytest.mark.parametrize(
    ("error", "said", "retry"),
    [
        (socket.gaierror(-2, "Name or service not known"), "is there a network", True),
        (ssl.SSLCertVerificationError(1, "self-signed"), "SSL_CERT_FILE", False),
        (ssl.SSLEOFError(8, "EOF occurred"), "broke off", True),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "cannot be reached (Network is unreachable)", True),
        (OSError("Tunnel connection failed: 403 Forbidden"), "Tunnel connection failed", True),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_what_errors_of_the_network_mean(error: OSError, said: str, retry: bool, wrapped: bool) -> None:
    trouble = _http._trouble(urllib.error.URLError(error) if wrapped else error)
    assert said in trouble.why and trouble.retry is retry


@pytest.mark.parametrize(("text", "seconds"), [(None, 0), ("-5", 0), ("9", 9), ("61", 60), (MODIFIED, 0), ("soon", 0)])
def test_retry_after(text: str | None, seconds: float) -> None:
    assert _http._seconds(text) == seconds


def test_callers_can_say_more() -> None:
    error = failure("http://127.0.0.1/x", Path("x"), "why", more="Accept its licence first.")
    assert str(error.fix).endswith("again. Accept its licence first.")
