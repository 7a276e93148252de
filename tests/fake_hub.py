"""A server that speaks as much of the Hugging Face Hub's protocol as downloads need."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git_blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class FakeHub:
    """Repositories with files, and the ways in which the real Hub and its network misbehave."""

    server: HTTPServer
    files: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    branches: dict[tuple[str, str], str] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)  # files in git itself, not LFS
    altered: dict[str, list[bytes]] = field(default_factory=dict)  # what to send instead, in turn
    cuts: int = 0  # how many of the next bodies break off in the middle
    busy: int = 0  # how many of the next requests are answered with 503
    gated: bool = False
    token: str | None = None  # what a private repository wants to see
    tells_digest: bool = True
    etag: str | None = None  # what to tell in the place of the digest
    commit: str | None = None  # what to tell in the place of the commit
    busy_bodies: int = 0  # how many of the next requests to the storage are answered with 503
    body: Callable[[], Response] | None = None  # what the storage answers
    xet_hash: str | None = None  # the client's other hash of the same content
    log: list[tuple[str, str, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.expect_request(re.compile("/.*")).respond_with_handler(self._answer)

    @property
    def endpoint(self) -> str:
        return f"http://localhost:{self.server.port}"

    def add(self, repository: str, file: str, content: bytes, commit: str = COMMIT) -> str:
        """Puts a file into a repository, and returns its SHA-256."""
        self.files.setdefault((repository, commit), {})[file] = content
        self.branches[repository, "main"] = commit
        return hashlib.sha256(content).hexdigest()

    def count(self, method: str) -> int:
        """Returns how many requests there were, those apart that only lead to the storage."""
        return sum(
            asked == method and (asked == "HEAD" or "/resolve/" not in path or path in self.plain)
            for asked, path, _ in self.log
        )

    def _answer(self, request: Request) -> Response:
        authorization = request.headers.get("Authorization")
        self.log.append((request.method, request.path, authorization))
        if self.busy:
            self.busy -= 1
            return Response(status=503)
        # Undecoded: a revision such as refs/pr/1 is one part of the path.
        path = request.environ["RAW_URI"].partition("?")[0]
        for pattern, respond in (
            ("/cdn/([^/]+/[^/]+)/([^/]+)/(.+)", self._body),
            ("/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", self._resolve),
            ("/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self._resolve),
        ):
            if match := re.fullmatch(pattern, path):
                return respond(request, *(unquote(part or "main") for part in match.groups()))
        return Response(status=404)

    def _resolve(
        self, request: Request, repository: str, revision: str, file: str | None = None
    ) -> Response:
        if repository not in {known for known, _ in self.files}:
            return _refusal(401, "RepoNotFound")
        if self.gated:
            return _refusal(403, "GatedRepo")
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return _refusal(401, "RepoNotFound")
        commit = self.branches.get((repository, revision), revision)
        files = self.files.get((repository, commit))
        if files is None:
            return _refusal(404, "RevisionNotFound")
        headers = {"X-Repo-Commit": self.commit or commit, "Accept-Ranges": "bytes"}
        if file is None:
            siblings = [{"rfilename": name} for name in files]
            return _json({"id": repository, "sha": commit, "siblings": siblings})
        if file not in files:
            return _refusal(404, "EntryNotFound", headers)
        content = files[file]
        if file in self.plain:
            headers["ETag"] = f'"{self.etag or git_blob_id(content)}"'
            if request.method == "GET":
                return self._body(request, repository, commit, file, headers)
            return Response(content, headers=headers)
        digest = hashlib.sha256(content).hexdigest() if self.tells_digest else "not-a-digest"
        headers |= {
            "ETag": '"something of the storage"',
            "X-Linked-Etag": f'"{self.etag or digest}"',
            "X-Linked-Size": str(len(content)),
            # Another host, as far as the client can see: no token must go there.
            "Location": f"http://127.0.0.1:{self.server.port}/cdn/{repository}/{commit}/{file}",
        }
        if self.xet_hash:
            headers |= {"X-Xet-Hash": self.xet_hash, "X-Xet-Refresh-Route": "/api/unused"}
        return Response(status=302, headers=headers)

    def _body(
        self,
        request: Request,
        repository: str,
        commit: str,
        file: str,
        headers: dict[str, str] | None = None,
    ) -> Response:
        if self.busy_bodies:
            self.busy_bodies -= 1
            return Response(status=503)
        if self.body is not None:
            return self.body()
        content = self.files[repository, commit][file]
        if self.altered.get(file):
            content = self.altered[file].pop(0)
        whole, status, headers = len(content), 200, dict(headers or {})
        if match := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "")):
            start = int(match[1])
            content, status = content[start:], 206
            headers["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"
        headers["Content-Length"] = str(len(content))
        if self.cuts:
            self.cuts -= 1
            content = content[: len(content) // 2]
        return Response(iter([content]), status=status, headers=headers)


def _refusal(status: int, code: str, headers: dict[str, str] | None = None) -> Response:
    return Response(status=status, headers={"X-Error-Code": code, **(headers or {})})


def _json(answer: dict) -> Response:
    return Response(json.dumps(answer), content_type="application/json")
