"""Downloads by the real client of the Hub, from a server on this machine."""

import contextlib
import gzip
import hashlib
import itertools
import json
import os
import random
import re
import resource
import socket
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
import pytest
from fake_hub import COMMIT, FakeHub, git_blob_id
from huggingface_hub import constants, errors, file_download
from huggingface_hub.utils import WeakFileLock
from werkzeug import Response

from keras_osnet.weights import hub as hub_module
from keras_osnet.weights import hub_client
from keras_osnet.weights.catalogue import find_weights
from keras_osnet.weights.hub import DownloadError, download, resolve_hub_reference

REPOSITORY = "someone/osnet"
FILE = "osnet_x1_0.pth"
CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def hub(server, use_hub, monkeypatch):
    """A Hub with one file."""
    server.clear()
    fake = FakeHub(server)
    fake.add(REPOSITORY, FILE, CONTENT)
    use_hub(fake.endpoint)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hub_client, "_PAUSES", (0.01, 0.01, 0.01))
    return fake


@dataclass
class Cache:
    folder: Path
    has_links: bool

    def files(self):
        """What other users of the cache would find: no locks, records or unfinished transfers."""
        return sorted(
            path
            for part in ("snapshots", "blobs")
            for path in (self.folder / part).rglob("*")
            if not path.is_dir() and path.suffix != ".incomplete"
        )


@pytest.fixture(params=["links", "no links"])
def cache(request, hub, tmp_path, monkeypatch):
    """The cache on systems with and without symbolic links."""
    if request.param == "no links":
        monkeypatch.setattr(file_download, "are_symlinks_supported", lambda cache_dir=None: False)
    return Cache(tmp_path / "hub" / "models--someone--osnet", request.param == "links")


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.resolve().write_bytes(content)


def truncate(path):
    path.resolve().write_bytes(path.read_bytes()[:1000])


damaged = pytest.mark.parametrize("damage", [flip_a_byte, truncate])
sources = pytest.mark.parametrize("sha256", [SHA256, None], ids=["given", "from the Hub"])
revisions = pytest.mark.parametrize("revision", [None, COMMIT], ids=["branch", "commit"])
no_network = pytest.mark.parametrize("how", ["offline", "dead"])


# --- Downloading -----------------------------------------------------------------------------


@sources
@revisions
def test_first_and_second_use(hub, cache, sha256, revision):
    path = download(REPOSITORY, FILE, revision=revision, sha256=sha256)
    assert path.read_bytes() == CONTENT
    assert path.is_symlink() == cache.has_links
    assert hub.count("GET") == 1
    assert hub.count("HEAD") == 1
    hub.log.clear()
    assert download(REPOSITORY, FILE, revision=revision, sha256=sha256) == path
    assert hub.count("GET") == 0
    if revision == COMMIT:
        assert hub.log == []


def test_size_is_checked(hub):
    assert download(REPOSITORY, FILE, sha256=SHA256, size=len(CONTENT)).is_file()
    with pytest.raises(DownloadError, match=f"Expected:.*7 bytes.*{len(CONTENT)} bytes"):
        download(REPOSITORY, FILE, sha256=SHA256, size=7)


def test_file_outside_lfs_is_checked_by_its_git_blob_id(hub, cache):
    hub.add(REPOSITORY, "small.pt", b"small", COMMIT)
    hub.plain.add("small.pt")
    path = download(REPOSITORY, "small.pt", revision=COMMIT)
    assert path.read_bytes() == b"small"
    path.resolve().write_bytes(b"smell")
    assert download(REPOSITORY, "small.pt", revision=COMMIT).read_bytes() == b"small"
    # The digest that a caller gives is the file's SHA-256 all the same.
    sha256 = hashlib.sha256(b"small").hexdigest()
    assert download(REPOSITORY, "small.pt", sha256=sha256).read_bytes() == b"small"
    # git hash-object of a file that says "hello\n"
    assert git_blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_file_in_folders_and_the_client_still_understands_its_cache(hub, cache):
    hub.add(REPOSITORY, "deep/er/model.safetensors", OTHER)
    for file, content in ((FILE, CONTENT), ("deep/er/model.safetensors", OTHER)):
        path = download(REPOSITORY, file)
        assert path.read_bytes() == content
        flip_a_byte(path)
        assert download(REPOSITORY, file).read_bytes() == content
    scan = huggingface_hub.scan_cache_dir(constants.HF_HUB_CACHE)
    assert scan.warnings == []
    (repository,) = scan.repos
    (revision,) = repository.revisions
    assert {file.file_name for file in revision.files} == {FILE, "model.safetensors"}


def test_a_branch_is_followed_and_a_commit_stays(hub, cache):
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT
    newer = "f" * 40
    hub.add(REPOSITORY, FILE, OTHER, commit=newer)
    assert download(REPOSITORY, FILE).read_bytes() == OTHER
    assert download(REPOSITORY, FILE, revision=newer).read_bytes() == OTHER
    assert download(REPOSITORY, FILE, revision=COMMIT).read_bytes() == CONTENT


@pytest.mark.parametrize("sha256", ["", "abc", SHA256.upper(), SHA256[:40], SHA256 + "0"])
def test_digest_that_is_none(hub, sha256):
    with pytest.raises(ValueError, match=r"64 lower-case hexadecimal digits\. Received: sha256="):
        download(REPOSITORY, FILE, sha256=sha256)
    assert hub.log == []


def test_repository_that_cannot_be_a_name(hub):
    with pytest.raises(ValueError, match="not a repository"):
        download("not a repository", FILE)


def test_catalogue_checkpoint_comes_by_its_revision_and_name(hub):
    checkpoint = find_weights("msmt17_combineall", variant="base", width=0.25)
    sha256 = hub.add(checkpoint.repository, checkpoint.file, OTHER, commit=checkpoint.revision)
    hub.branches.clear()
    where = checkpoint.repository, checkpoint.file
    path = download(*where, revision=checkpoint.revision, sha256=sha256, size=len(OTHER))
    assert path.read_bytes() == OTHER
    assert f"/{checkpoint.repository}/resolve/{checkpoint.revision}/{checkpoint.file}" in {
        requested for _, requested, _ in hub.log
    }
    # What is behind that name here is not what the catalogue knows.
    expected = {"sha256": checkpoint.sha256, "size": checkpoint.size}
    with pytest.raises(DownloadError, match=checkpoint.sha256):
        download(*where, revision=checkpoint.revision, **expected)


# --- Wrong content ---------------------------------------------------------------------------


@sources
def test_wrong_transfer_is_repeated(hub, cache, sha256):
    hub.altered[FILE] = [OTHER]
    assert download(REPOSITORY, FILE, sha256=sha256).read_bytes() == CONTENT
    assert hub.count("GET") == 2


@sources
def test_wrong_twice_is_an_error_and_leaves_nothing(hub, cache, sha256):
    hub.altered[FILE] = [OTHER, OTHER]
    with pytest.raises(DownloadError) as caught:
        download(REPOSITORY, FILE, sha256=sha256)
    message = str(caught.value)
    assert f"hf://{REPOSITORY}/{FILE}@{COMMIT}" in message
    assert f"Expected: SHA-256 {SHA256}" in message
    received = hashlib.sha256(OTHER).hexdigest()
    assert message.endswith(f"Received: SHA-256 {received} ({len(OTHER)} bytes)")
    assert hub.count("GET") == 2
    assert cache.files() == []
    # The Hub is well again.
    assert download(REPOSITORY, FILE, sha256=sha256).read_bytes() == CONTENT


def test_another_file_than_the_one_asked_for(hub, cache):
    with pytest.raises(DownloadError, match=f"Expected: SHA-256 {'0' * 64}\\. Received"):
        download(REPOSITORY, FILE, sha256="0" * 64)
    assert cache.files() == []


@damaged
@sources
@revisions
def test_damaged_cache_is_repaired(hub, cache, damage, sha256, revision):
    damage(download(REPOSITORY, FILE, revision=revision, sha256=sha256))
    hub.log.clear()
    path = download(REPOSITORY, FILE, revision=revision, sha256=sha256)
    assert path.read_bytes() == CONTENT
    assert path.is_symlink() == cache.has_links
    assert hub.count("GET") == 1
    download(REPOSITORY, FILE, revision=revision, sha256=sha256)
    assert hub.count("GET") == 1


@damaged
@sources
@no_network
def test_damaged_cache_without_network(hub, cache, damage, sha256, how, disconnect):
    damage(download(REPOSITORY, FILE, sha256=sha256))
    disconnect(how)
    started = time.monotonic()
    with pytest.raises(DownloadError, match="downloading it again failed") as caught:
        download(REPOSITORY, FILE, sha256=sha256)
    assert time.monotonic() - started < 5
    message = str(caught.value)
    assert f"Expected: SHA-256 {SHA256}" in message
    assert "Received: SHA-256" in message
    assert ("OfflineModeIsEnabled" in message) == (how == "offline")
    assert cache.files() == []


def test_file_moved_away_by_another_process(hub, cache, monkeypatch):
    path = download(REPOSITORY, FILE)
    locate = hub_module._locate

    def locate_then_lose(*arguments):
        entry, remote = locate(*arguments)
        hub_module._discard(entry)
        return entry, remote

    monkeypatch.setattr(hub_module, "_locate", locate_then_lose)
    assert download(REPOSITORY, FILE) == path
    assert path.read_bytes() == CONTENT


# --- Remembered digests ----------------------------------------------------------------------


def test_digest_of_the_hub_is_remembered_where_there_are_no_links(hub, cache, disconnect):
    path = download(REPOSITORY, FILE)
    disconnect("offline")
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT
    flip_a_byte(path)
    with pytest.raises(DownloadError):
        download(REPOSITORY, FILE)


@pytest.mark.parametrize("record", ["missing", "damaged"])
def test_file_that_another_program_cached(hub, cache, record, disconnect):
    path = Path(huggingface_hub.hf_hub_download(REPOSITORY, FILE, revision=COMMIT))
    if record == "damaged":
        file = cache.folder / ".keras-osnet" / COMMIT / f"{FILE}.digest"
        file.parent.mkdir(parents=True)
        file.write_text("half a dig")
    disconnect("offline")
    # A link tells the digest. Without, the Hub has to be asked for it, once.
    hub.log.clear()
    if not cache.has_links:
        with pytest.raises(DownloadError, match="OfflineModeIsEnabled"):
            download(REPOSITORY, FILE, revision=COMMIT)
        assert download(REPOSITORY, FILE, revision=COMMIT, sha256=SHA256) == path
        disconnect(None)
    assert download(REPOSITORY, FILE, revision=COMMIT) == path
    assert [method for method, *_ in hub.log] == ([] if cache.has_links else ["HEAD"])
    disconnect("offline")
    assert download(REPOSITORY, FILE, revision=COMMIT) == path


def test_endpoint_that_tells_no_digest(hub, cache):
    hub.tells_digest = False
    with pytest.raises(DownloadError, match="tells no digest to verify the file with"):
        download(REPOSITORY, FILE)
    assert download(REPOSITORY, FILE, sha256=SHA256).read_bytes() == CONTENT


def test_store_that_all_repositories_share(hub, tmp_path, monkeypatch):
    store = pytest.importorskip(
        "huggingface_hub.utils._shared_blobs", reason="this version of the client has none"
    )
    # As with hf_xet not installed: the store is used, and downloads go by HTTP.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    monkeypatch.setattr(file_download, "is_xet_available", lambda: False)
    hub.xet_hash = "ab" * 32
    (tmp_path / "hub").mkdir()
    stored = store._ensure_prefix_dir(tmp_path / "hub", hub.xet_hash) / hub.xet_hash
    stored.write_bytes(CONTENT)
    # The name of the file that the links end at is no SHA-256, though it looks like one.
    path = Path(huggingface_hub.hf_hub_download(REPOSITORY, FILE))
    assert download(REPOSITORY, FILE) == path
    assert path.resolve() == stored
    for record in tmp_path.rglob("*.digest"):
        record.unlink()
    hub.log.clear()
    assert download(REPOSITORY, FILE, revision=COMMIT) == path
    assert hub.log == []
    # A wrong file is not taken from there a second time.
    stored.write_bytes(OTHER)
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT
    assert hub.count("GET") > 0


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_cache(hub, cache):
    download(REPOSITORY, FILE, revision=COMMIT)
    folders = [cache.folder, *(path for path in cache.folder.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert download(REPOSITORY, FILE, revision=COMMIT).read_bytes() == CONTENT
        assert download(REPOSITORY, FILE).read_bytes() == CONTENT
        with pytest.raises(DownloadError, match=r"failed: .*Permission denied"):
            download(REPOSITORY, FILE, sha256="0" * 64)
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_record_that_cannot_be_written(hub, cache):
    cache.folder.mkdir(parents=True)
    (cache.folder / ".keras-osnet").write_text("in the way")
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT


# --- No network, or a bad one ----------------------------------------------------------------


@sources
@revisions
@no_network
def test_cached_file_without_network(hub, cache, sha256, revision, how, disconnect):
    first = download(REPOSITORY, FILE, revision=revision, sha256=sha256)
    disconnect(how)
    started = time.monotonic()
    assert download(REPOSITORY, FILE, revision=revision, sha256=sha256) == first
    assert time.monotonic() - started < 1


@revisions
@no_network
def test_nothing_cached_and_no_network(hub, revision, how, disconnect, tmp_path):
    disconnect(how)
    started = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        download(REPOSITORY, FILE, revision=revision)
    assert time.monotonic() - started < 5
    message = str(caught.value)
    reference = f"hf://{REPOSITORY}/{FILE}" + (f"@{revision}" if revision else "")
    assert message.startswith(f"Could not download {reference} from {constants.ENDPOINT}: ")
    assert ("HF_HUB_OFFLINE" in message) == (how == "offline")
    assert ("ConnectError" in message) == (how == "dead")
    for way in ("network access", "HF_ENDPOINT", "HF_TOKEN", "`weights=`", "`weights=None`"):
        assert way in message
    assert str(tmp_path / "hub") in message
    assert message.endswith(f"Received: {reference}")


@pytest.mark.parametrize(
    ("cuts", "altered"), [(1, []), (0, [CONTENT[:1000]])], ids=["breaks off", "short answer"]
)
def test_transfer_that_fails_once(hub, cache, cuts, altered):
    hub.cuts, hub.altered[FILE] = cuts, list(altered)
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT
    assert hub.count("GET") == 2


@pytest.mark.parametrize(
    ("cuts", "altered"), [(1000, []), (0, [CONTENT[:1000]] * 2)], ids=["breaks off", "short answer"]
)
def test_transfer_that_keeps_failing(hub, cache, monkeypatch, cuts, altered):
    monkeypatch.setattr(file_download, "time", NoSleep)
    hub.cuts, hub.altered[FILE] = cuts, list(altered)
    with pytest.raises(DownloadError, match="Could not download"):
        download(REPOSITORY, FILE)
    assert cache.files() == []
    hub.cuts = 0
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT


class NoSleep:
    sleep = staticmethod(lambda seconds: None)


def test_a_busy_hub_is_asked_again(hub):
    hub.busy = 1000
    with pytest.raises(DownloadError, match="503"):
        download(REPOSITORY, FILE)
    assert len(hub.log) == 4
    hub.busy = 2
    path = download(REPOSITORY, FILE)
    assert path.read_bytes() == CONTENT
    hub.log.clear()
    hub.busy = 1000
    assert download(REPOSITORY, FILE) == path
    assert len(hub.log) == 1


def test_endpoint_that_is_no_hub(hub, server):
    server.clear()
    server.expect_request(re.compile("/.*")).respond_with_data("<html>Log in</html>")
    with pytest.raises(DownloadError, match=r"LocalEntryNotFoundError|FileMetadataError"):
        download(REPOSITORY, FILE)
    with pytest.raises(DownloadError, match="JSON"):
        resolve_hub_reference(f"hf://{REPOSITORY}")


# --- An endpoint that lies -------------------------------------------------------------------


@pytest.fixture
def victim(tmp_path):
    """A file of the user; its content is that of no file on the Hub."""
    path = tmp_path / "victim"
    path.write_text("precious")
    yield path
    assert path.read_text() == "precious"
    assert {each.name for each in tmp_path.iterdir()} <= {"victim", "hub"}


_PATHS = ["{victim}", "../../../victim", "../../../new", "..", "a/b", "a\\b", "x" * 200]


@sources
@pytest.mark.parametrize("kind", ["LFS", "plain"])
@pytest.mark.parametrize("etag", _PATHS)
def test_etag_that_is_a_path(hub, victim, etag, kind, sha256):
    if kind == "plain":
        hub.plain.add(FILE)
    hub.etag = etag.format(victim=victim)
    with pytest.raises(DownloadError, match="ETag that is no digest"):
        download(REPOSITORY, FILE, sha256=sha256)
    assert hub.count("GET") == 0


@pytest.mark.parametrize("commit", [*_PATHS, "main", COMMIT.upper(), COMMIT + "0"])
def test_commit_that_is_a_path(hub, victim, commit):
    hub.commit = commit.format(victim=victim)
    with pytest.raises(DownloadError, match="commit that is none"):
        download(REPOSITORY, FILE, sha256=SHA256)
    assert hub.count("GET") == 0


@pytest.mark.parametrize("file", ["../../../x.pth", "/tmp/x.pth", "a/../../x.pth", "C:/x.pth"])
def test_listing_of_paths(hub, victim, file):
    hub.add("someone/else", file, CONTENT)
    with pytest.raises(ValueError, match="Weights: none"):
        resolve_hub_reference("hf://someone/else")


@pytest.mark.parametrize(
    "answer", ["[]", "3", '{"siblings": 3}', '{"siblings": [{}]}', "[" * 100_000, "{}"]
)
def test_listing_that_is_none(hub, server, answer):
    server.clear()
    server.expect_request(re.compile("/.*")).respond_with_data(answer)
    with pytest.raises(DownloadError, match="not a listing of files"):
        resolve_hub_reference(f"hf://{REPOSITORY}")


@pytest.mark.parametrize("answer", ["[]", "3", '{"error": 3}', "[" * 100_000, '{"errors": 3}'])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 416, 429, 500])
def test_errors_whose_body_the_client_does_not_expect(hub, server, status, answer):
    server.clear()
    server.expect_request(re.compile("/.*")).respond_with_data(answer, status=status)
    words = f"{status}|Bad request"
    with pytest.raises(DownloadError, match=words):
        resolve_hub_reference(f"hf://{REPOSITORY}")
    with pytest.raises(DownloadError, match=words):
        download(REPOSITORY, FILE)


@pytest.mark.parametrize("location", ["http://[", "file:///etc/passwd", "x:", "http://a b/"])
def test_redirections_that_lead_nowhere(hub, server, location):
    server.clear()
    server.expect_request(re.compile("/.*")).respond_with_data(
        status=302, headers={"Location": location, "X-Repo-Commit": COMMIT, "ETag": SHA256}
    )
    with pytest.raises(DownloadError, match="Could not download"):
        download(REPOSITORY, FILE)


def test_an_endpoint_does_not_choose_the_blob(hub, cache):
    """It could have one file of the repository replaced by another."""
    other = hub.add(REPOSITORY, "other.pth", OTHER)
    path = download(REPOSITORY, "other.pth")
    hub.etag = other
    with pytest.raises(
        DownloadError, match=f"Expected: SHA-256 {SHA256}. Received: SHA-256 {other}"
    ):
        download(REPOSITORY, FILE, sha256=SHA256)
    hub.plain.add(FILE)
    hub.etag = git_blob_id(OTHER)
    with pytest.raises(DownloadError, match=f"Received: git blob id {git_blob_id(CONTENT)}"):
        download(REPOSITORY, FILE, sha256=SHA256)
    assert path.read_bytes() == OTHER


def test_only_blobs_of_this_repository_are_removed(hub, cache, victim):
    """The cache may have links that an older client made for an endpoint that lied."""
    path = cache.folder / "snapshots" / COMMIT / FILE
    path.parent.mkdir(parents=True)
    elsewhere = cache.folder.parent / "models--someone--else" / "blobs" / SHA256
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text("another model")
    for target in (victim, "../../../../victim", elsewhere, "../../blobs/../../../victim"):
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        assert download(REPOSITORY, FILE, revision=COMMIT, sha256=SHA256).read_bytes() == CONTENT
    assert elsewhere.read_text() == "another model"


def test_link_to_a_named_pipe(hub, cache, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    path = cache.folder / "snapshots" / COMMIT / FILE
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "pipe")
    assert download(REPOSITORY, FILE, revision=COMMIT, sha256=SHA256).read_bytes() == CONTENT


def test_a_busy_storage_is_asked_again(hub):
    hub.busy_bodies = 2
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT
    assert hub.count("GET") == 3
    hub.add(REPOSITORY, FILE, OTHER, commit="f" * 40)
    hub.busy_bodies = 1000
    with pytest.raises(DownloadError, match="503"):
        download(REPOSITORY, FILE)


def endless(**headers):
    return Response((bytes(65536) for _ in itertools.count()), headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        endless,
        lambda: endless(**{"Content-Length": "300000000"}),
        lambda: endless(**{"Content-Encoding": "gzip"}),
        lambda: Response(gzip.compress(bytes(30 << 20)), headers={"Content-Encoding": "gzip"}),
        lambda: Response(CONTENT + b"0"),
    ],
    ids=["endless", "endless of a size", "endless gzip", "gzip", "one byte more"],
)
def test_more_than_promised_is_never_written(hub, cache, body):
    hub.body = body
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(CONTENT), largest[1]))
    try:
        with pytest.raises(DownloadError, match=r"larger than the 300,000 bytes|is compressed"):
            download(REPOSITORY, FILE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, largest)
    assert cache.files() == []


def test_an_endless_error_or_listing(hub, server, monkeypatch):
    monkeypatch.setattr(hub_client, "_LISTING_LIMIT", 1 << 20)
    for status, words in ((200, "larger than"), (404, "404")):
        server.clear()
        server.expect_request(re.compile("/.*")).respond_with_handler(
            lambda request, status=status: Response(
                (bytes(65536) for _ in itertools.count()), status=status
            )
        )
        with pytest.raises(DownloadError, match=words):
            resolve_hub_reference(f"hf://{REPOSITORY}")


def test_a_trickle_is_given_up(hub, cache, monkeypatch):
    def trickle():
        for byte in CONTENT:
            yield bytes([byte])
            time.sleep(0.02)

    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    hub.body = lambda: Response(trickle(), headers={"Content-Length": str(len(CONTENT))})
    started = time.monotonic()
    with pytest.raises(DownloadError, match=r"only \d+ bytes were received"):
        download(REPOSITORY, FILE)
    assert time.monotonic() - started < 5
    assert cache.files() == []


@pytest.mark.parametrize("where", ["headers", "chunk"])
def test_a_trickle_that_is_no_content_is_given_up(hub, use_hub, monkeypatch, where):
    for name in ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"):
        monkeypatch.setattr(constants, name, 0.1)
    told = f"X-Repo-Commit: {COMMIT}\r\nETag: {SHA256}\r\nContent-Length: 300000\r\n\r\n"
    with socket.create_server(("localhost", 0)) as trickling:

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = trickling.accept()
                    request = connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\n")
                    if where == "chunk" and request.startswith(b"HEAD"):
                        connection.sendall(told.encode())
                        connection.close()
                        continue
                    if where == "chunk":
                        connection.sendall(b"Transfer-Encoding: chunked\r\n\r\n5;")
                    with contextlib.suppress(OSError):
                        while True:
                            connection.sendall(b"X")
                            time.sleep(0.02)

        threading.Thread(target=answer, daemon=True).start()
        use_hub(f"http://localhost:{trickling.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(DownloadError, match="no answer within"):
            download(REPOSITORY, FILE)
        assert time.monotonic() - started < 5


def test_a_size_beyond_any_weights(hub, monkeypatch):
    monkeypatch.setattr(hub_client, "LARGEST_FILE", len(CONTENT) - 1)
    with pytest.raises(DownloadError, match="300,000 bytes, more than any weights"):
        download(REPOSITORY, FILE)
    assert hub.count("GET") == 0


def test_a_branch_in_the_cache_that_is_a_path(hub, disconnect, cache, tmp_path):
    (tmp_path / "x.pth").write_text("not of the cache")
    branch = cache.folder / "refs" / "main"
    branch.parent.mkdir(parents=True)
    branch.write_text("../../../..")
    disconnect("offline")
    with pytest.raises(DownloadError, match="OfflineModeIsEnabled"):
        resolve_hub_reference(f"hf://{REPOSITORY}")


def test_a_full_disk_is_named(hub, cache):
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, largest[1]))
    try:
        with pytest.raises(DownloadError, match="too large") as caught:
            download(REPOSITORY, FILE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, largest)
    message = str(caught.value)
    assert str(cache.folder / "blobs" / SHA256) in message
    assert "after 100,000 bytes" in message
    assert "set HF_HUB_CACHE to a folder" in message
    assert message.endswith(f"Received: hf://{REPOSITORY}/{FILE}@{COMMIT}")
    assert cache.files() == []


@no_network
def test_the_error_without_network_stands_alone(hub, how, disconnect):
    disconnect(how)
    with pytest.raises(DownloadError, match='`weights="synthetic"`') as caught:
        download(REPOSITORY, FILE)
    assert "".join(traceback.format_exception(caught.value)).count("Traceback") == 1


# --- What the Hub refuses --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "cause", "status"),
    [
        ("hf://someone/else/x.pth", errors.RepositoryNotFoundError, "401"),
        ("hf://someone/else", errors.RepositoryNotFoundError, "401"),
        (f"hf://{REPOSITORY}/{FILE}@v9", errors.RevisionNotFoundError, "404"),
        (f"hf://{REPOSITORY}@v9", errors.RevisionNotFoundError, "404"),
        (f"hf://{REPOSITORY}/other.pth", errors.EntryNotFoundError, "404"),
    ],
)
def test_what_is_not_there(hub, monkeypatch, reference, cause, status):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(DownloadError, match=f"{status} Client Error") as caught:
        resolve_hub_reference(reference)
    assert isinstance(caught.value.__context__, cause)
    assert str(caught.value).endswith(f"Received: {reference}")
    assert "hf_secret" not in str(caught.value)


def test_no_such_file_whatever_its_digest(hub):
    with pytest.raises(DownloadError) as caught:
        download(REPOSITORY, "other.pth", sha256=SHA256)
    assert isinstance(caught.value.__context__, errors.EntryNotFoundError)


def test_file_that_a_newer_commit_has_no_more(hub):
    download(REPOSITORY, FILE)
    hub.add(REPOSITORY, "renamed.pth", CONTENT, commit="f" * 40)
    with pytest.raises(DownloadError, match="Entry Not Found"):
        download(REPOSITORY, FILE)
    assert download(REPOSITORY, FILE, revision=COMMIT).read_bytes() == CONTENT


def test_gated_repository(hub):
    hub.gated = True
    with pytest.raises(DownloadError, match=r"GatedRepoError: 403") as caught:
        download(REPOSITORY, FILE)
    assert f"{hub.endpoint}/{REPOSITORY}" in str(caught.value)
    hub.gated = False
    first = download(REPOSITORY, FILE)
    hub.gated = True  # since it was cached
    assert download(REPOSITORY, FILE) == first


def test_private_repository(hub, monkeypatch):
    hub.token = "hf_secret"
    with pytest.raises(DownloadError, match=r"401 .*HF_TOKEN"):
        download(REPOSITORY, FILE)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(DownloadError, match="HF_TOKEN"):
        download(REPOSITORY, FILE)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.log.clear()
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT
    for _, path, authorization in hub.log:
        # The storage behind the Hub is not told.
        assert authorization == (None if path.startswith("/cdn/") else "Bearer hf_secret")


# --- Several at once -------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["empty", "damaged"])
def test_threads_at_once(hub, cache, state):
    if state == "damaged":
        flip_a_byte(download(REPOSITORY, FILE))
    found = []
    barrier = threading.Barrier(6)

    def work():
        barrier.wait()
        found.append(download(REPOSITORY, FILE).read_bytes() == CONTENT)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 6


def test_damage_is_repaired_by_one(hub, cache):
    path = download(REPOSITORY, FILE, revision=COMMIT)
    flip_a_byte(path)
    hub.log.clear()
    found = []
    thread = threading.Thread(
        target=lambda: found.append(download(REPOSITORY, FILE, revision=COMMIT))
    )
    locks = cache.folder.parent / ".locks" / cache.folder.name
    locks.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(locks / "keras-osnet.lock"):
        thread.start()
        thread.join(timeout=0.3)
        assert found == []
        path.resolve().write_bytes(CONTENT)  # as another process does that came first
    thread.join(timeout=30)
    assert found == [path]
    assert hub.log == []


CLIENT = """
import hashlib, json, sys
from keras_osnet.weights.hub import download
try:
    path = download(*sys.argv[1:])
except OSError as problem:
    print(json.dumps({"error": type(problem).__name__, "message": str(problem)}))
else:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(json.dumps({"path": str(path), "sha256": digest}))
"""


@pytest.fixture
def start_client(hub, tmp_path):
    """Starts the client in a process of its own, set up by its environment only."""

    def start(**environment):
        return subprocess.Popen(
            [sys.executable, "-c", CLIENT, REPOSITORY, FILE],
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "HF_ENDPOINT": hub.endpoint,
                "HF_HOME": str(tmp_path / "home"),
                "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                **environment,
            },
        )

    return start


def answer(process):
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return json.loads(output)


@pytest.mark.parametrize("state", ["empty", "damaged"])
def test_processes_at_once(hub, start_client, state):
    if state == "damaged":
        flip_a_byte(Path(answer(start_client())["path"]))
    running = [start_client() for _ in range(2)]
    answers = [answer(process) for process in running]
    assert answers[0] == answers[1]
    assert answers[0]["sha256"] == SHA256


def test_environment_is_obeyed(hub, start_client, tmp_path):
    hub.token = "hf_secret"
    cache = str(tmp_path / "elsewhere")
    offline = answer(start_client(HF_HUB_CACHE=cache, HF_HUB_OFFLINE="1"))
    assert offline["error"] == "DownloadError"
    assert "HF_HUB_OFFLINE" in offline["message"]
    assert answer(start_client(HF_HUB_CACHE=cache))["error"] == "DownloadError"
    online = answer(start_client(HF_HUB_CACHE=cache, HF_TOKEN="hf_secret"))
    assert online["sha256"] == SHA256
    assert online["path"].startswith(cache)
    hub.log.clear()
    assert answer(start_client(HF_HUB_CACHE=cache, HF_HUB_OFFLINE="1")) == online
    assert hub.log == []


def test_killed_in_the_middle(hub, start_client):
    hub.cuts = 1000  # the client waits a second after each
    process = start_client()
    deadline = time.monotonic() + 30
    while not hub.count("GET") and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    hub.cuts = 0
    assert answer(start_client())["sha256"] == SHA256


# --- References ------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["", "@main", f"@{COMMIT}"])
@pytest.mark.parametrize("file", ["", f"/{FILE}"])
def test_reference_forms(hub, file, at):
    hub.add(REPOSITORY, "README.md", b"#")
    path = resolve_hub_reference(f"hf://{REPOSITORY}{file}{at}")
    assert path.name == FILE
    assert path.read_bytes() == CONTENT


def test_reference_to_a_branch_with_a_slash(hub, disconnect):
    hub.branches[REPOSITORY, "refs/pr/1"] = COMMIT
    path = resolve_hub_reference(f"hf://{REPOSITORY}/{FILE}@refs/pr/1")
    assert path.read_bytes() == CONTENT
    disconnect("offline")
    assert resolve_hub_reference(f"hf://{REPOSITORY}/{FILE}@refs/pr/1") == path
    with pytest.warns(UserWarning, match="Taking the only ones in the cache"):
        assert resolve_hub_reference(f"hf://{REPOSITORY}@refs/pr/1") == path


def test_model_safetensors_comes_first(hub, disconnect):
    hub.add(REPOSITORY, "model.safetensors", OTHER)
    path = resolve_hub_reference(f"hf://{REPOSITORY}")
    assert path.name == "model.safetensors"
    for how in ("dead", "offline"):
        disconnect(how)
        assert resolve_hub_reference(f"hf://{REPOSITORY}") == path


@pytest.mark.parametrize("ending", ["safetensors", "weights.h5", "keras", "pth.tar", "pyth", "pt"])
def test_the_only_weights_are_chosen(hub, ending):
    hub.add("someone/single", f"folder/x.{ending}", OTHER)
    hub.add("someone/single", "config.json", b"{}")
    assert resolve_hub_reference("hf://someone/single").name == f"x.{ending}"


def test_several_weights_or_none(hub):
    hub.add(REPOSITORY, "other.weights.h5", OTHER)
    hub.add(REPOSITORY, "README.md", b"#")
    with pytest.raises(ValueError, match="Name the weights file") as caught:
        resolve_hub_reference(f"hf://{REPOSITORY}")
    assert f"Weights: {FILE}, other.weights.h5. Other files: README.md." in str(caught.value)
    assert str(caught.value).endswith(f"Received: 'hf://{REPOSITORY}'")
    hub.add("someone/empty", "README.md", b"#")
    with pytest.raises(ValueError, match=r"Weights: none\. Other files: README\.md\."):
        resolve_hub_reference("hf://someone/empty")


def test_only_cached_weights_are_taken_with_a_warning(hub, cache, disconnect):
    disconnect("offline")
    with pytest.raises(DownloadError, match=f"Could not download hf://{REPOSITORY} from"):
        resolve_hub_reference(f"hf://{REPOSITORY}")
    disconnect(None)
    path = resolve_hub_reference(f"hf://{REPOSITORY}/{FILE}")
    disconnect("dead")
    with pytest.warns(UserWarning, match=f"Taking the only ones in the cache: {FILE}"):
        assert resolve_hub_reference(f"hf://{REPOSITORY}") == path


def test_listing_while_the_hub_is_busy(hub):
    hub.add(REPOSITORY, "model.safetensors", OTHER)
    hub.busy = 2
    path = resolve_hub_reference(f"hf://{REPOSITORY}")
    hub.busy = 1000
    hub.log.clear()
    assert resolve_hub_reference(f"hf://{REPOSITORY}") == path
    assert len(hub.log) == 2  # the listing and the file, once each
