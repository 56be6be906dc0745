"""One HTTP question and its answer, and what can go wrong with it: what to try again, and what not (RFC 9110).

Everything that fails on the way is a :class:`Trouble`, so that an ``OSError`` elsewhere is one of the disk.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import cache
from http.client import HTTPException, InvalidURL
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from tsprout import __version__

SCHEMES = ("http", "https")
LONGEST_WAIT = 60.0  # seconds that a server's Retry-After is honoured for
_PACKED = (".gz", ".tgz", ".z", ".bz2", ".xz", ".zst")  # files that some servers label with the encoding they have
_RANGE = re.compile(r"\s*bytes\s+(?:(\d+)-(\d+)|\*)/(\d+|\*)\s*", re.IGNORECASE)


class Trouble(Exception):
    """One attempt failed: ``why`` in words, whether another may succeed, and the seconds the server asks to wait."""

    def __init__(self, why: str, *, retry: bool = False, after: float = 0.0) -> None:
        super().__init__(why)
        self.why = why
        self.retry = retry
        self.after = after


@dataclass(frozen=True)
class Answer:
    """An answer of status 200, 206 or 416: ``start`` is the first byte it holds (-1: unsaid), ``total`` the file's."""

    status: int
    start: int
    total: int | None
    etag: str | None
    modified: str | None
    encoding: str | None
    response: Any

    def read(self, n_bytes: int) -> bytes:
        """What has come, ``n_bytes`` at most, waiting only for the first of them; empty at the end."""
        try:
            return bytes(self.response.read1(n_bytes))
        except (OSError, HTTPException, ValueError) as error:
            raise _trouble(error) from error

    def head(self, n_bytes: int) -> bytes:
        """The first bytes, ``n_bytes`` of them where there are as many."""
        want = n_bytes if self.total is None else min(n_bytes, self.total)
        found = b""
        while len(found) < want and (block := self.read(want - len(found))):
            found += block
        return found

    def continues(self, offset: int) -> bool:
        """True where it is what follows the first ``offset`` bytes, or says that nothing does."""
        if self.status == 416:
            return self.total == offset
        return self.start == offset and (self.total is None or self.total > offset)


@dataclass
class Notes:
    """Which state of the file at ``url`` the bytes that have come belong to."""

    url: str
    etag: str | None = None
    modified: str | None = None
    total: int | None = None

    @property
    def condition(self) -> str | None:
        """What ``If-Range`` may hold: an ETag that promises equal bytes (not a weak one), or the date."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def differ(self, answer: Answer) -> bool:
        """True where an answer belongs to another state of the file."""
        if None not in (self.total, answer.total) and self.total != answer.total:
            return True
        if self.etag and answer.etag:
            return self.etag != answer.etag
        return bool(self.modified and answer.modified and self.modified != answer.modified)


class _Redirects(HTTPRedirectHandler):
    """Follows redirects to http and https, and says where another one would have led."""

    def http_error_302(self, req: Request, fp: Any, code: int, msg: str, headers: Any) -> Any:
        goal = urljoin(req.full_url, headers.get("Location", ""))
        if urlsplit(goal).scheme not in SCHEMES:
            raise Trouble(f"it leads on to {goal}, and only http and https are followed")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def bad_address(url: str) -> str | None:
    """Why ``url`` cannot be asked for at all, or None."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES:
            return f"only http and https addresses are downloaded, not {parts.scheme or 'a path'}"
        return None if parts.hostname and parts.port != 0 else "the address names no server"
    except ValueError:
        return "the address cannot be read"


@contextmanager
def ask(url: str, *, offset: int = 0, condition: str | None = None, timeout: float = 30.0) -> Iterator[Answer]:
    """Ask for a file, or for what follows its first ``offset`` bytes.

    Args:
        url: an http or https address; redirects and the proxies of the environment are followed.
        offset: bytes that are there already.
        condition: ETag or date they were made under; a server whose file has changed sends all of it (``If-Range``).
        timeout: seconds without a byte after which the server counts as gone.

    Yields:
        the answer, closed when the block ends.

    Raises:
        Trouble: there is none, or one of another status.
    """
    headers = {"User-Agent": f"tsprout/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if condition:
            headers["If-Range"] = condition
    opener = OpenerDirector()
    opener.add_handler(HTTPSHandler(context=_certificates()))
    for handler in (ProxyHandler, HTTPHandler, HTTPDefaultErrorHandler, _Redirects, HTTPErrorProcessor):
        opener.add_handler(handler())
    try:
        response: Any = opener.open(Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        if error.code != 416:
            error.close()
            raise _refusal(error) from error
        response = error
    except (OSError, HTTPException, ValueError) as error:
        raise _trouble(error) from error
    with response:
        yield _answer(response)


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust; read once, because reading all certificates of a system takes longer than a small file."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def looks_like_page(head: bytes) -> bool:
    """True where a file begins as a web page does."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith((b"<!doctype html", b"<html"))


def check_kind(answer: Answer, head: bytes, url: str) -> None:
    """Refuse what is certainly not the file at ``url``: a login page instead of it, or a packed form of it.

    Raises:
        Trouble: it is.
    """
    path = urlsplit(url).path.lower()
    if looks_like_page(head) and not path.endswith((".html", ".htm")):
        why = "a web page came instead of the file; a login page, a notice, or the portal of this network"
        raise Trouble(why)
    if answer.encoding not in (None, "", "identity") and not path.endswith(_PACKED):
        raise Trouble(f"the server sends it packed ({answer.encoding}), though it was asked not to")


def _answer(response: Any) -> Answer:
    """The parts of an answer that matter here."""
    headers: Message = response.headers
    found = _RANGE.fullmatch(headers.get("Content-Range", ""))
    status = int(response.status)
    if status not in (200, 206, 416):
        raise Trouble(f"the server answers {status} {response.reason}", retry=status == 202)
    start, total = 0, None
    if status == 200:
        total = getattr(response, "length", None)
    else:
        start = int(found[1]) if found and found[1] else -1
        total = int(found[3]) if found and found[3] != "*" else None
    encoding = headers.get("Content-Encoding", "").strip().lower()
    return Answer(status, start, total, headers.get("ETag"), headers.get("Last-Modified"), encoding, response)


def _refusal(error: HTTPError) -> Trouble:
    """What an answer of another status means."""
    said = f"{error.code} {error.reason}".strip()
    if error.code == 429 or error.code >= 500:
        why = f"the server is overloaded or out of order ({said})"
        return Trouble(why, retry=True, after=_seconds(error.headers.get("Retry-After")))
    if error.code in (404, 410):
        return Trouble(f"the server does not have it ({said})")
    if error.code in (401, 403, 451):
        return Trouble(f"the server refuses it ({said}); a login or a licence that must be accepted may be needed")
    if error.code < 400:
        return Trouble(f"the server sends it round in circles ({error.code})")
    return Trouble(f"the server refuses it ({said})")


def _trouble(error: Exception) -> Trouble:
    """What an error on the way to the server, or from it, means."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        why = f"the certificate of the server cannot be verified ({getattr(reason, 'verify_message', reason)})"
        return Trouble(f"{why}; SSL_CERT_FILE can name a file of certificates to trust")
    if isinstance(reason, socket.gaierror):
        return Trouble("the server cannot be reached (its name is not found; is there a network?)", retry=True)
    if isinstance(reason, TimeoutError):
        return Trouble("the server cannot be reached, or has stopped sending", retry=True)
    if isinstance(reason, ConnectionRefusedError):
        return Trouble("the server cannot be reached (connection refused)", retry=True)
    if isinstance(reason, InvalidURL | ValueError) and not isinstance(reason, OSError):
        return Trouble(f"the address cannot be used ({reason})")
    if isinstance(reason, HTTPException | ConnectionError | ssl.SSLError):
        return Trouble(f"the connection broke off ({type(reason).__name__})", retry=True)
    return Trouble(f"the server cannot be reached ({getattr(reason, 'strerror', None) or reason})", retry=True)


def _seconds(text: str | None) -> float:
    """Seconds that ``Retry-After`` (seconds or a date) asks for, between 0 and :data:`LONGEST_WAIT`."""
    try:
        asked = float(int(text or "0"))
    except ValueError:
        try:
            asked = parsedate_to_datetime(text or "").timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(max(asked, 0.0), LONGEST_WAIT)
