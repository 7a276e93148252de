"""Downloads by the real client of the Hub, from a server on this machine."""

import hashlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
import pytest
from fake_hub import COMMIT, FakeHub, git_blob_id
from huggingface_hub import constants, file_download
from huggingface_hub.utils import WeakFileLock
from pytest_httpserver import HTTPServer

from keras_osnet.weights.catalogue import find_checkpoint
from keras_osnet.weights.hub import client as hub_client
from keras_osnet.weights.hub import verification
from keras_osnet.weights.hub.download import (
    WeightsCorruptedError,
    WeightsUnavailableError,
    download,
    resolve_hub_reference,
)

REPOSITORY = "someone/osnet"
FILE = "osnet_x1_0.pth"
CONTENT = random.Random(0).randbytes(300_000)
OTHER = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def server():
    with HTTPServer(host="localhost", threaded=True) as running:
        yield running


@pytest.fixture
def hub(server, tmp_path, monkeypatch):
    """A Hub with one file, which the client in this process is made to use, and an empty cache."""
    server.clear()
    fake = FakeHub(server)
    fake.add(REPOSITORY, FILE, CONTENT)
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    # Read from the environment when the client is imported: too late for that in this process.
    use_endpoint(monkeypatch, fake.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(hub_client, "_PAUSES", (0.01, 0.01, 0.01))
    return fake


def use_endpoint(monkeypatch, endpoint):
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )


@pytest.fixture
def dead_endpoint(monkeypatch):
    """Call it, and connections to the Hub are refused."""
    with socket.socket() as unused:
        unused.bind(("localhost", 0))
        endpoint = f"http://localhost:{unused.getsockname()[1]}"
    return lambda: use_endpoint(monkeypatch, endpoint)


@pytest.fixture
def go_offline(monkeypatch):
    """Call it, and HF_HUB_OFFLINE is set."""
    return lambda: monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(params=["links", "no links"])
def cache(request, hub, tmp_path, monkeypatch):
    """The cache on systems with and without symbolic links."""
    if request.param == "no links":
        monkeypatch.setattr(file_download, "are_symlinks_supported", lambda cache_dir=None: False)
    return Cache(tmp_path / "hub" / "models--someone--osnet", request.param == "links")


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


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.resolve().write_bytes(content)


def truncate(path):
    path.resolve().write_bytes(path.read_bytes()[:1000])


damaged = pytest.mark.parametrize("damage", [flip_a_byte, truncate])
sources = pytest.mark.parametrize("sha256", [SHA256, None], ids=["given", "from the Hub"])
revisions = pytest.mark.parametrize("revision", [None, COMMIT], ids=["branch", "commit"])


# --- Downloading -----------------------------------------------------------------------------


@sources
@revisions
def test_fresh_download(hub, cache, sha256, revision):
    path = download(REPOSITORY, FILE, revision=revision, sha256=sha256)
    assert path.read_bytes() == CONTENT
    assert path.is_symlink() == cache.has_links
    assert hub.count("GET") == 1
    assert hub.count("HEAD") == 2  # ours and the client's: the digest is not asked for again


@sources
@revisions
def test_second_use_transfers_nothing(hub, cache, sha256, revision):
    first = download(REPOSITORY, FILE, revision=revision, sha256=sha256)
    hub.log.clear()
    assert download(REPOSITORY, FILE, revision=revision, sha256=sha256) == first
    assert hub.count("GET") == 0
    if revision == COMMIT:
        assert hub.log == []


def test_size_is_checked(hub):
    assert download(REPOSITORY, FILE, sha256=SHA256, size=len(CONTENT)).is_file()
    with pytest.raises(WeightsCorruptedError, match=f"Expected:.*7 bytes.*{len(CONTENT)} bytes"):
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


def test_git_blob_id_is_gits_own():
    # git hash-object of a file that says "hello\n"
    assert git_blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_file_in_folders(hub, cache):
    hub.add(REPOSITORY, "deep/er/model.safetensors", OTHER)
    path = download(REPOSITORY, "deep/er/model.safetensors")
    assert path.read_bytes() == OTHER
    flip_a_byte(path)
    assert download(REPOSITORY, "deep/er/model.safetensors").read_bytes() == OTHER


def test_revision_is_pinned(hub):
    newer = "f" * 40
    hub.add(REPOSITORY, FILE, OTHER, commit=newer)
    assert download(REPOSITORY, FILE).read_bytes() == OTHER
    assert download(REPOSITORY, FILE, revision=newer).read_bytes() == OTHER
    assert download(REPOSITORY, FILE, revision=COMMIT).read_bytes() == CONTENT


def test_branch_is_followed(hub, cache):
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT
    hub.add(REPOSITORY, FILE, OTHER, commit="f" * 40)
    assert download(REPOSITORY, FILE).read_bytes() == OTHER


def test_the_client_still_understands_its_cache(hub, cache):
    hub.add(REPOSITORY, "deep/er/model.safetensors", OTHER)
    for file in (FILE, "deep/er/model.safetensors"):
        flip_a_byte(download(REPOSITORY, file))
        download(REPOSITORY, file)
    scan = huggingface_hub.scan_cache_dir(constants.HF_HUB_CACHE)
    assert scan.warnings == []
    (repository,) = scan.repos
    (revision,) = repository.revisions
    assert {file.file_name for file in revision.files} == {FILE, "model.safetensors"}


@pytest.mark.parametrize("sha256", ["", "abc", SHA256.upper(), SHA256[:40], SHA256 + "0"])
def test_digest_that_is_none(hub, sha256):
    with pytest.raises(ValueError, match=r"64 lower-case hexadecimal digits\. Received: sha256="):
        download(REPOSITORY, FILE, sha256=sha256)
    assert hub.log == []


def test_repository_that_cannot_be_a_name(hub):
    with pytest.raises(ValueError, match="not a repository"):
        download("not a repository", FILE)


# --- Wrong content ---------------------------------------------------------------------------


@sources
def test_wrong_transfer_is_repeated(hub, cache, sha256):
    hub.altered[FILE] = [OTHER]
    assert download(REPOSITORY, FILE, sha256=sha256).read_bytes() == CONTENT
    assert hub.count("GET") == 2


@sources
def test_wrong_twice_is_an_error_and_leaves_nothing(hub, cache, sha256):
    hub.altered[FILE] = [OTHER, OTHER]
    with pytest.raises(WeightsCorruptedError) as caught:
        download(REPOSITORY, FILE, sha256=sha256)
    message = str(caught.value)
    assert f"hf://{REPOSITORY}/{FILE}@{COMMIT}" in message
    assert hub.endpoint in message
    assert f"Expected: SHA-256 {SHA256}" in message
    received = hashlib.sha256(OTHER).hexdigest()
    assert message.endswith(f"Received: SHA-256 {received} ({len(OTHER)} bytes)")
    assert hub.count("GET") == 2
    assert cache.files() == []
    # The Hub is well again.
    assert download(REPOSITORY, FILE, sha256=sha256).read_bytes() == CONTENT


def test_another_file_than_the_one_asked_for(hub, cache):
    with pytest.raises(WeightsCorruptedError, match=f"Expected: SHA-256 {'0' * 64}\\. Received"):
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
    hub.log.clear()
    download(REPOSITORY, FILE, revision=revision, sha256=sha256)
    assert hub.count("GET") == 0


@damaged
@sources
@pytest.mark.parametrize("how", ["offline", "dead"])
def test_damaged_cache_without_network(hub, cache, damage, sha256, how, go_offline, dead_endpoint):
    damage(download(REPOSITORY, FILE, sha256=sha256))
    go_offline() if how == "offline" else dead_endpoint()
    started = time.monotonic()
    with pytest.raises(WeightsCorruptedError) as caught:
        download(REPOSITORY, FILE, sha256=sha256)
    assert time.monotonic() - started < 5
    message = str(caught.value)
    assert f"Expected: SHA-256 {SHA256}" in message
    assert "Received: SHA-256" in message
    assert "fetching it again did not work" in message
    assert ("HF_HUB_OFFLINE is set" in message) == (how == "offline")
    assert isinstance(caught.value.__cause__, WeightsUnavailableError)
    assert cache.files() == []


def test_file_moved_away_by_another_process(hub, cache, monkeypatch):
    path = download(REPOSITORY, FILE)
    locate = hub_module()._locate

    def locate_then_lose(*arguments):
        found = locate(*arguments)
        verification.discard(found)
        return found

    monkeypatch.setattr(hub_module(), "_locate", locate_then_lose)
    assert download(REPOSITORY, FILE) == path
    assert path.read_bytes() == CONTENT


def hub_module():
    return sys.modules[download.__module__]


# --- Remembered digests ----------------------------------------------------------------------


def test_digest_of_the_hub_is_remembered_where_there_are_no_links(
    hub, cache, go_offline, dead_endpoint
):
    path = download(REPOSITORY, FILE)
    go_offline()
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT
    flip_a_byte(path)
    with pytest.raises(WeightsCorruptedError):
        download(REPOSITORY, FILE)


@pytest.mark.parametrize("record", ["missing", "damaged"])
def test_file_that_another_program_cached(hub, cache, record, go_offline):
    path = Path(huggingface_hub.hf_hub_download(REPOSITORY, FILE, revision=COMMIT))
    if record == "damaged":
        file = cache.folder / ".keras-osnet" / COMMIT / f"{FILE}.digest"
        file.parent.mkdir(parents=True)
        file.write_text("half a dig")
    hub.log.clear()
    assert download(REPOSITORY, FILE, revision=COMMIT) == path
    # A link tells the digest. Without, the Hub is asked for it, once.
    assert [method for method, *_ in hub.log] == ([] if cache.has_links else ["HEAD"])
    go_offline()
    assert download(REPOSITORY, FILE, revision=COMMIT) == path


def test_nothing_to_verify_with_is_an_error(hub, cache, go_offline):
    huggingface_hub.hf_hub_download(REPOSITORY, FILE, revision=COMMIT)
    go_offline()
    if cache.has_links:
        assert download(REPOSITORY, FILE, revision=COMMIT).read_bytes() == CONTENT
    else:
        with pytest.raises(WeightsUnavailableError, match="HF_HUB_OFFLINE is set"):
            download(REPOSITORY, FILE, revision=COMMIT)
    assert download(REPOSITORY, FILE, revision=COMMIT, sha256=SHA256).read_bytes() == CONTENT


def test_endpoint_that_tells_no_digest(hub, cache):
    hub.tells_digest = False
    with pytest.raises(WeightsUnavailableError, match="tells no digest to verify it with"):
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
    path = download(REPOSITORY, FILE)
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
        with pytest.raises(WeightsCorruptedError, match=r"did not work: .*Permission denied"):
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
@pytest.mark.parametrize("how", ["offline", "dead"])
def test_cached_file_without_network(hub, cache, sha256, revision, how, go_offline, dead_endpoint):
    first = download(REPOSITORY, FILE, revision=revision, sha256=sha256)
    go_offline() if how == "offline" else dead_endpoint()
    started = time.monotonic()
    assert download(REPOSITORY, FILE, revision=revision, sha256=sha256) == first
    assert time.monotonic() - started < 1


@revisions
def test_nothing_cached_offline(hub, revision, go_offline, tmp_path):
    go_offline()
    with pytest.raises(WeightsUnavailableError) as caught:
        download(REPOSITORY, FILE, revision=revision)
    message = str(caught.value)
    assert "HF_HUB_OFFLINE is set, and it is not in the cache" in message
    assert_says_all(message, hub.endpoint, revision or "main", tmp_path)


@revisions
def test_nothing_cached_and_connection_refused(hub, revision, dead_endpoint, tmp_path):
    dead_endpoint()
    started = time.monotonic()
    with pytest.raises(WeightsUnavailableError) as caught:
        download(REPOSITORY, FILE, revision=revision)
    assert time.monotonic() - started < 5
    message = str(caught.value)
    assert "the endpoint could not be reached" in message
    assert_says_all(message, constants.ENDPOINT, revision or "main", tmp_path)


def assert_says_all(message, endpoint, revision, tmp_path):
    assert f"{FILE} of the repository {REPOSITORY} at revision {revision}" in message
    assert f"from {endpoint}:" in message
    for way in ("a network", "HF_ENDPOINT", "HF_TOKEN", "`weights=`", "`weights=None`"):
        assert way in message
    assert str(tmp_path / "hub") in message
    assert re.search(rf"Received: hf://{REPOSITORY}/{FILE}(@\w+)?$", message)


def test_transfer_that_breaks_off_is_resumed(hub, cache):
    hub.cuts = 1
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT
    assert hub.count("GET") == 2


def test_transfer_that_never_finishes(hub, cache, monkeypatch):
    monkeypatch.setattr(file_download, "time", NoSleep)
    hub.cuts = 1000
    with pytest.raises(WeightsUnavailableError, match="the transfer broke off"):
        download(REPOSITORY, FILE)
    assert cache.files() == []
    hub.cuts = 0
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT


class NoSleep:
    sleep = staticmethod(lambda seconds: None)


def test_short_answer_is_not_taken_for_the_file(hub, cache):
    hub.altered[FILE] = [CONTENT[:1000]] * 2
    with pytest.raises(WeightsUnavailableError, match="the transfer broke off"):
        download(REPOSITORY, FILE)
    assert cache.files() == []


def test_short_answer_once(hub, cache):
    hub.altered[FILE] = [CONTENT[:1000]]
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT


def test_busy_hub_is_asked_again(hub):
    hub.busy = 2
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT


def test_hub_that_stays_busy(hub):
    hub.busy = 1000
    with pytest.raises(WeightsUnavailableError, match="answered with HTTP 503"):
        download(REPOSITORY, FILE)
    assert len(hub.log) == 4


def test_busy_hub_and_cached(hub):
    first = download(REPOSITORY, FILE)
    hub.log.clear()
    hub.busy = 1000
    assert download(REPOSITORY, FILE) == first
    assert len(hub.log) == 1


def test_endpoint_that_is_no_hub(hub, server):
    server.clear()
    server.expect_request(re.compile("/.*")).respond_with_data("<html>Log in</html>")
    with pytest.raises(WeightsUnavailableError, match="is not a Hub"):
        download(REPOSITORY, FILE)
    with pytest.raises(WeightsUnavailableError, match="is not a Hub"):
        resolve_hub_reference(f"hf://{REPOSITORY}")


# --- What the Hub refuses --------------------------------------------------------------------


def test_no_such_repository(hub):
    with pytest.raises(WeightsUnavailableError, match=r"no such repository .*HF_TOKEN"):
        download("someone/else", FILE)


def test_no_such_revision(hub):
    with pytest.raises(WeightsUnavailableError, match=r"no such revision \(HTTP 404\)"):
        download(REPOSITORY, FILE, revision="v9")


@sources
def test_no_such_file(hub, sha256):
    with pytest.raises(WeightsUnavailableError, match=r"no such file at that revision \(HTTP 404"):
        download(REPOSITORY, "other.pth", sha256=sha256)


def test_file_that_a_newer_commit_has_no_more(hub):
    download(REPOSITORY, FILE)
    hub.add(REPOSITORY, "renamed.pth", CONTENT, commit="f" * 40)
    with pytest.raises(WeightsUnavailableError, match="no such file"):
        download(REPOSITORY, FILE)
    assert download(REPOSITORY, FILE, revision=COMMIT).read_bytes() == CONTENT


def test_gated_repository(hub):
    hub.gated = True
    with pytest.raises(
        WeightsUnavailableError, match=r"gated \(HTTP 403\).*ask for access"
    ) as caught:
        download(REPOSITORY, FILE)
    assert f"{hub.endpoint}/{REPOSITORY}" in str(caught.value)


def test_gated_since_it_was_cached(hub):
    first = download(REPOSITORY, FILE)
    hub.gated = True
    assert download(REPOSITORY, FILE) == first


def test_private_repository(hub, monkeypatch):
    hub.token = "hf_secret"
    with pytest.raises(WeightsUnavailableError, match=r"\(HTTP 401\), or it is private"):
        download(REPOSITORY, FILE)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(WeightsUnavailableError, match="HF_TOKEN"):
        download(REPOSITORY, FILE)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.log.clear()
    assert download(REPOSITORY, FILE).read_bytes() == CONTENT
    for _, path, authorization in hub.log:
        # The storage behind the Hub is not told.
        assert authorization == (None if path.startswith("/cdn/") else "Bearer hf_secret")


def test_token_is_not_in_messages(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(WeightsUnavailableError) as caught:
        download("someone/else", FILE)
    assert "hf_secret" not in str(caught.value)


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
    with WeakFileLock(verification.repair_lock(path, FILE)):
        thread.start()
        thread.join(timeout=0.3)
        assert found == []
        path.resolve().write_bytes(CONTENT)  # as another process does that came first
    thread.join(timeout=30)
    assert found == [path]
    assert hub.log == []


CLIENT = """
import hashlib, json, sys
from keras_osnet.weights.hub import download as hub
try:
    path = getattr(hub, sys.argv[1])(*json.loads(sys.argv[2]))
except OSError as problem:
    print(json.dumps({"error": type(problem).__name__, "message": str(problem)}))
else:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(json.dumps({"path": str(path), "sha256": digest}))
"""


@pytest.fixture
def start_client(hub, tmp_path):
    """Starts the client in a process of its own, set up by its environment only."""

    def start(function, *arguments, **environment):
        return subprocess.Popen(
            [sys.executable, "-c", CLIENT, function, json.dumps(arguments)],
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
        flip_a_byte(Path(answer(start_client("download", REPOSITORY, FILE))["path"]))
    running = [start_client("download", REPOSITORY, FILE) for _ in range(2)]
    answers = [answer(process) for process in running]
    assert answers[0] == answers[1]
    assert answers[0]["sha256"] == SHA256


def test_environment_is_obeyed(hub, start_client, tmp_path):
    hub.token = "hf_secret"
    cache = str(tmp_path / "elsewhere")

    def client(**environment):
        return answer(start_client("download", REPOSITORY, FILE, HF_HUB_CACHE=cache, **environment))

    offline = client(HF_HUB_OFFLINE="1")
    assert offline["error"] == "WeightsUnavailableError"
    assert "HF_HUB_OFFLINE is set" in offline["message"]
    assert client()["error"] == "WeightsUnavailableError"
    online = client(HF_TOKEN="hf_secret")
    assert online["sha256"] == SHA256
    assert online["path"].startswith(cache)
    hub.log.clear()
    assert client(HF_HUB_OFFLINE="1") == online
    assert hub.log == []


def test_killed_in_the_middle(hub, start_client):
    hub.cuts = 1000  # the client waits a second after each
    process = start_client("download", REPOSITORY, FILE)
    deadline = time.monotonic() + 30
    while not hub.count("GET") and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    hub.cuts = 0
    assert answer(start_client("download", REPOSITORY, FILE))["sha256"] == SHA256


# --- References ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference",
    [f"hf://{REPOSITORY}/{FILE}{at}" for at in ("", "@main", f"@{COMMIT}")]
    + [f"hf://{REPOSITORY}{at}" for at in ("", "@main", f"@{COMMIT}")],
)
def test_reference_forms(hub, reference, go_offline):
    hub.add(REPOSITORY, "README.md", b"#")
    path = resolve_hub_reference(reference)
    assert path.name == FILE
    assert path.read_bytes() == CONTENT


def test_reference_to_a_branch_with_a_slash(hub, go_offline):
    hub.branches[REPOSITORY, "refs/pr/1"] = COMMIT
    path = resolve_hub_reference(f"hf://{REPOSITORY}/{FILE}@refs/pr/1")
    assert path.read_bytes() == CONTENT
    go_offline()
    assert resolve_hub_reference(f"hf://{REPOSITORY}/{FILE}@refs/pr/1") == path
    with pytest.warns(UserWarning, match="Taking the only ones in the cache"):
        assert resolve_hub_reference(f"hf://{REPOSITORY}@refs/pr/1") == path


def test_model_safetensors_comes_first(hub, go_offline, dead_endpoint):
    hub.add(REPOSITORY, "model.safetensors", OTHER)
    path = resolve_hub_reference(f"hf://{REPOSITORY}")
    assert path.name == "model.safetensors"
    for leave in (dead_endpoint, go_offline):
        leave()
        assert resolve_hub_reference(f"hf://{REPOSITORY}") == path


@pytest.mark.parametrize("ending", ["safetensors", "weights.h5", "keras", "pth.tar", "pyth", "pt"])
def test_the_only_weights_are_chosen(hub, ending):
    hub.add("someone/single", f"folder/x.{ending}", OTHER)
    hub.add("someone/single", "config.json", b"{}")
    assert resolve_hub_reference("hf://someone/single").name == f"x.{ending}"


def test_several_weights(hub):
    hub.add(REPOSITORY, "other.weights.h5", OTHER)
    hub.add(REPOSITORY, "README.md", b"#")
    with pytest.raises(ValueError, match="Name the weights file") as caught:
        resolve_hub_reference(f"hf://{REPOSITORY}")
    assert f"Weights: {FILE}, other.weights.h5. Other files: README.md." in str(caught.value)
    assert str(caught.value).endswith(f"Received: 'hf://{REPOSITORY}'")


def test_no_weights(hub):
    hub.add("someone/empty", "README.md", b"#")
    with pytest.raises(ValueError, match=r"Weights: none\. Other files: README\.md\."):
        resolve_hub_reference("hf://someone/empty")


def test_listing_without_network(hub, cache, go_offline):
    go_offline()
    with pytest.raises(WeightsUnavailableError, match="the list of files of the repository"):
        resolve_hub_reference(f"hf://{REPOSITORY}")


def test_only_cached_weights_are_taken_with_a_warning(hub, cache, dead_endpoint):
    path = resolve_hub_reference(f"hf://{REPOSITORY}/{FILE}")
    dead_endpoint()
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


def test_listing_of_what_is_not_there(hub):
    with pytest.raises(WeightsUnavailableError, match="no such repository"):
        resolve_hub_reference("hf://someone/else")
    with pytest.raises(WeightsUnavailableError, match="no such revision"):
        resolve_hub_reference(f"hf://{REPOSITORY}@v9")


# --- The catalogue ---------------------------------------------------------------------------


def test_catalogue_checkpoint_comes_by_its_revision_and_name(hub):
    checkpoint = find_checkpoint("msmt17_combineall", variant="base", width=0.25)
    sha256 = hub.add(checkpoint.repository, checkpoint.file, OTHER, commit=checkpoint.revision)
    hub.branches.clear()
    path = download(
        checkpoint.repository,
        checkpoint.file,
        revision=checkpoint.revision,
        sha256=sha256,
        size=len(OTHER),
    )
    assert path.read_bytes() == OTHER
    assert f"/{checkpoint.repository}/resolve/{checkpoint.revision}/{checkpoint.file}" in {
        requested for _, requested, _ in hub.log
    }
    # What is behind that name here is not what the catalogue knows.
    with pytest.raises(WeightsCorruptedError, match=checkpoint.sha256):
        download(
            checkpoint.repository,
            checkpoint.file,
            revision=checkpoint.revision,
            sha256=checkpoint.sha256,
            size=checkpoint.size,
        )
