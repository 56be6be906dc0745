"""A server on this machine with a few small sets in the layouts of public sources, and a catalogue that names them."""

from __future__ import annotations

import hashlib
import http.server
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tsprout import cli
from tsprout.data.catalog.entry import Entry, read_entry
from tsprout.data.catalog.pull import Pulled, pull
from tsprout.data.catalog.sets import digest
from tsprout.errors import InputError

WALK = np.random.default_rng(0).standard_normal((4000, 2)).cumsum(0).round(3).astype(np.float32)


def csv_of(values: np.ndarray) -> bytes:
    """Rows of numbers under a header."""
    lines = ["left,right", *(",".join(format(x, ".3f") for x in row) for row in values.astype(np.float64))]
    return ("\n".join(lines) + "\n").encode()


class DataServer(http.server.ThreadingHTTPServer):
    """Serves ``files`` by path. The next answer breaks off after ``cuts.pop(0)`` bytes; ``asked`` are (path, Range)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.cuts: list[int] = []
        self.asked: list[tuple[str, str | None]] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: DataServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path.lstrip("/"), wanted))
        body = self.server.files.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()[:8]}"')
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts else len(body)
        self.wfile.write(body[start : start + cut])


@contextmanager
def serving() -> Iterator[DataServer]:
    """A server with ``walk.csv`` and its halves, until the block ends."""
    with DataServer() as server:
        server.files = {
            "walk.csv": csv_of(WALK),
            "a/part.csv": csv_of(WALK[:2000]),
            "b/part.csv": csv_of(WALK[2000:]),
        }
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()


def read_source(entry: Entry, files: Sequence[Path]) -> dict[str, np.ndarray]:
    """The simplest of readers, in the place of the many real ones."""
    try:
        parts = [np.loadtxt(file, np.float32, delimiter=",", skiprows=1) for file in files]
    except ValueError as error:
        raise InputError(f"not a CSV file: {error}", where=str(files[0])) from None
    return {"series": np.concatenate(parts)}


def isolate(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """``cache`` is the only data folder, and the reader the simple one; no file of a real set is near."""
    monkeypatch.setitem(sys.modules, "tsprout.data.catalog.formats", SimpleNamespace(read_source=read_source))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TSPROUT_DATA", str(cache))
    monkeypatch.setattr("tsprout.data.catalog.folders.pack_folder", lambda: None)
    monkeypatch.setattr("tsprout.data.catalog.sets.pack_folder", lambda: None)


def files_in(folder: Path) -> list[str]:
    """All files below a folder, by their path in it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def closed_port() -> int:
    """A port that refuses connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def entry_table(*urls: str, **changes: Any) -> dict[str, Any]:
    """The catalogue's table of the walk, from these addresses; ``source`` and ``content`` in ``changes`` are merged."""
    source = {"urls": list(urls), "format": "csv", **changes.pop("source", {})}
    known = {"digest": digest({"series": WALK}), "missing": 0}
    known |= {"mean": float(WALK.mean(dtype=float)), "deviation": float(WALK.std(dtype=float))}
    table = {"role": "extra", "domain": "nature", "kind": "recording", "steps": len(WALK), "channels": 2}
    table |= {"sampling": "1 day", "licence": "none needed", "citation": "made up", "channel_names": ["left", "right"]}
    return {**table, **changes, "source": source, "content": known | changes.get("content", {})}


def write_catalogue(folder: Path, sets: Mapping[str, Mapping[str, Any]]) -> Path:
    """A ``catalogue.toml`` of these tables in a data folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, table in sets.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
        for key, inner in table.items():
            if isinstance(inner, dict):
                lines.append(f"[{name}.{key}]")
                lines += [f"{k} = {json.dumps(v)}" for k, v in inner.items() if v is not None]
    path = folder / "catalogue.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def entry_of(*urls: str, **changes: Any) -> Entry:
    """:func:`entry_table` as an entry."""
    return read_entry("Walk", entry_table(*urls, **changes), "test")


def patient(entry: Entry, folder: Path, **options: Any) -> Pulled:
    """:func:`pull` without the waiting."""
    return pull(entry, folder, wait=lambda seconds: None, **options)


def caller(capsys: pytest.CaptureFixture[str], verb: str) -> Callable[..., tuple[int, str, str]]:
    """``call("ls")`` -> exit code, standard output, standard error of ``tsprout VERB ls``; never a traceback."""

    def call(*argv: Any) -> tuple[int, str, str]:
        capsys.readouterr()
        code = cli.main([verb, *(str(part) for part in argv)])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return code, said.out, said.err

    return call
