"""A stand-in for the Hugging Face hub on this machine, for the true client library to talk to.

It speaks what pushing and fetching a model needs: create, branch, validate-yaml, preupload, LFS batch and upload,
commit, model info, tree, resolve with etags and a redirect for LFS files; with the hub's statuses and error headers.
Xet, its newer transfer, needs a storage service of its own and is switched off by ``HF_HUB_DISABLE_XET``.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

OWNER, WRITER, READER = "tester", "hf_writer", "hf_reader"
LFS = ".safetensors"


def git_oid(content: bytes) -> str:
    """The name git gives a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Repo:
    """Branches and commits, each commit the files it holds."""

    private: bool = False
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(self, branch: str, files: dict[str, bytes], message: str) -> str:
        told = json.dumps([len(self.commits), message, sorted((k, git_oid(v)) for k, v in files.items())])
        sha = hashlib.sha1(told.encode()).hexdigest()
        self.commits[sha] = files
        self.branches[branch] = sha
        self.messages.append(message)
        return sha


class HubServer(http.server.ThreadingHTTPServer):
    """``repos`` by name; ``asked``: (method, path) of every request; ``broken``: answer everything with this status."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.broken: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def storage(self) -> str:
        """Where large files lie: another host for the client, which does not follow redirects to one while it asks."""
        return f"http://localhost:{self.server_port}"


class Refused(Exception):
    """An answer that is an error, with the headers the client tells them apart by."""

    def __init__(self, status: int, code: str = "", message: str = "", body: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status, self.body = status, body or {"error": message}
        self.headers = {k: v for k, v in (("X-Error-Code", code), ("X-Error-Message", message)) if v}


class _Handler(http.server.BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        url = urlsplit(self.path)
        self.path_only, self.query = url.path, parse_qs(url.query)
        self.server.asked.append((self.command, self.path_only))
        body = self._body()
        try:
            if self.server.broken is not None:
                raise Refused(self.server.broken, message="broken")
            for methods, pattern, action in _ROUTES:
                match = re.fullmatch(pattern, self.path_only)
                if match and self.command in methods:
                    action(self, body, *(unquote(part) for part in match.groups()))
                    return
            raise Refused(404, message=f"no such endpoint: {self.command} {self.path_only}")
        except Refused as refused:
            self._send(refused.status, json.dumps(refused.body).encode(), refused.headers)

    do_GET = do_HEAD = do_POST = do_PUT = _serve

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    # Who asks, and for what.

    def _token(self) -> str | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
        if token not in (None, WRITER, READER):
            raise Refused(401, message="Invalid credentials in Authorization header")
        return token

    def _may_write(self, owner: str) -> None:
        token = self._token()
        if token is None:
            raise Refused(401, message="Invalid username or password.")
        if token != WRITER or owner != OWNER:
            raise Refused(403, message=f"You don't have the rights to write under the namespace {owner!r}")

    def _repo(self, name: str) -> Repo:
        token, repo = self._token(), self.server.repos.get(name)
        if repo is None or (repo.private and token is None):
            if token is None:
                raise Refused(401, message="Invalid username or password.")
            raise Refused(404, "RepoNotFound", "Repository not found")
        return repo

    def _commit_of(self, repo: Repo, revision: str) -> str:
        sha = repo.branches.get(revision, revision)
        if sha not in repo.commits:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return sha

    # What can be asked.

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        owner = asked.get("organization") or OWNER
        self._may_write(owner)
        name = f"{owner}/{asked['name']}"
        answer = {"url": f"{self.server.url}/{name}", "id": name}
        if name in self.server.repos:
            raise Refused(409, message="You already created this model repo", body={"error": "exists", **answer})
        private = asked.get("visibility") == "private" or asked.get("private") is True
        self.server.repos[name] = repo = Repo(private)
        repo.commit("main", {".gitattributes": b"*.safetensors filter=lfs\n"}, "initial commit")
        self._json(answer)

    def branch(self, body: bytes, name: str, branch: str) -> None:
        self._may_write(name.split("/")[0])
        repo = self._repo(name)
        if branch in repo.branches:
            raise Refused(409, message=f"Reference already exists: {branch}")
        start = json.loads(body or b"{}").get("startingPoint", "main")
        repo.branches[branch] = self._commit_of(repo, start)
        self._json({})

    def info(self, body: bytes, name: str, revision: str = "main") -> None:
        repo = self._repo(name)
        sha = self._commit_of(repo, revision)
        siblings = [{"rfilename": path} for path in sorted(repo.commits[sha])]
        self._json({"_id": "1", "id": name, "sha": sha, "private": repo.private, "tags": [], "siblings": siblings})

    def tree(self, body: bytes, name: str, revision: str) -> None:
        repo = self._repo(name)
        entries = []
        for path, content in sorted(repo.commits[self._commit_of(repo, revision)].items()):
            entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": git_oid(content)}
            if path.endswith(LFS):
                entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            entries.append(entry)
        self._json(entries)

    def validate(self, body: bytes) -> None:
        content = json.loads(body)["content"]
        match = re.match(r"---\n(.*?)\n---\n", content, re.DOTALL)
        try:
            told = yaml.safe_load(match.group(1)) if match else None
        except yaml.YAMLError as error:
            told = str(error)
        wrong = []
        if not isinstance(told, dict):
            wrong.append("metadata is no mapping")
        elif not isinstance(told.get("tags"), list) or not isinstance(told.get("library_name"), str):
            wrong.append("tags must be a list, library_name a string")
        if wrong:
            raise Refused(400, body={"errors": [{"message": text} for text in wrong], "warnings": []})
        self._json({"errors": [], "warnings": []})

    def preupload(self, body: bytes, name: str, revision: str) -> None:
        self._may_write(name.split("/")[0])
        repo = self._repo(name)
        there = repo.commits[self._commit_of(repo, revision)]
        files = []
        for file in json.loads(body)["files"]:
            path = file["path"]
            known = {"oid": git_oid(there[path])} if path in there and not path.endswith(LFS) else {}
            mode = "lfs" if path.endswith(LFS) else "regular"
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, **known})
        self._json({"files": files})

    def batch(self, body: bytes, name: str) -> None:
        self._may_write(name.split("/")[0])
        objects = []
        for wanted in json.loads(body)["objects"]:
            place = {"href": f"{self.server.url}/lfs/{wanted['oid']}"}
            missing = wanted["oid"] not in self.server.blobs
            objects.append({**wanted, **({"actions": {"upload": place}} if missing else {})})
        self._json({"transfer": "basic", "objects": objects})

    def upload(self, body: bytes, oid: str) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            raise Refused(400, message="the content is not what was announced")
        self.server.blobs[oid] = body
        self._send(200)

    def commit(self, body: bytes, name: str, revision: str) -> None:
        self._may_write(name.split("/")[0])
        repo = self._repo(name)
        files, message = dict(repo.commits[self._commit_of(repo, revision)]), ""
        for line in body.splitlines():
            key, value = (told := json.loads(line))["key"], told["value"]
            if key == "header":
                message = value["summary"]
            elif key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.server.blobs[value["oid"]]
            elif key == "deletedFile":
                del files[value["path"]]
            else:
                raise Refused(400, message=f"unknown operation {key}")
        sha = repo.commit(revision, files, message)
        self._json({"commitUrl": f"{self.server.url}/{name}/commit/{sha}", "commitOid": sha})

    def resolve(self, body: bytes, name: str, revision: str, path: str) -> None:
        repo = self._repo(name)
        sha = self._commit_of(repo, revision)
        if path not in repo.commits[sha]:
            raise Refused(404, "EntryNotFound", "Entry not found")
        content, headers = repo.commits[sha][path], {"X-Repo-Commit": sha}
        if path.endswith(LFS):
            oid = hashlib.sha256(content).hexdigest()
            self.server.blobs[oid] = content
            headers |= {"X-Linked-ETag": f'"{oid}"', "X-Linked-Size": str(len(content))}
            self._send(302, b"", headers | {"Location": f"{self.server.storage}/lfs/{oid}"})
        else:
            self._send(200, content, headers | {"ETag": f'"{git_oid(content)}"'})

    def download(self, body: bytes, oid: str) -> None:
        self._send(200, self.server.blobs[oid], {"ETag": f'"{oid}"'})


_ID = r"([^/]+/[^/]+)"
_ROUTES = [
    (("POST",), "/api/repos/create", _Handler.create),
    (("POST",), "/api/validate-yaml", _Handler.validate),
    (("POST",), f"/api/models/{_ID}/branch/([^/]+)", _Handler.branch),
    (("POST",), f"/api/models/{_ID}/preupload/([^/]+)", _Handler.preupload),
    (("POST",), f"/api/models/{_ID}/commit/([^/]+)", _Handler.commit),
    (("GET",), f"/api/models/{_ID}/tree/([^/]+)", _Handler.tree),
    (("GET",), f"/api/models/{_ID}/revision/([^/]+)", _Handler.info),
    (("GET",), f"/api/models/{_ID}", _Handler.info),
    (("POST",), f"/{_ID}.git/info/lfs/objects/batch", _Handler.batch),
    (("PUT",), "/lfs/([0-9a-f]{64})", _Handler.upload),
    (("GET", "HEAD"), "/lfs/([0-9a-f]{64})", _Handler.download),
    (("GET", "HEAD"), f"/{_ID}/resolve/([^/]+)/(.+)", _Handler.resolve),
]


@contextmanager
def serving() -> Iterator[HubServer]:
    """An empty hub until the block ends."""
    with HubServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
