"""Galleries in Milvus: the server of Milvus Lite, which speaks the protocol of a cluster."""

import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest
from pku_gallery import write_vectors

import keras_osnet

PACKAGE = Path(keras_osnet.__file__).parents[1]
TESTS = Path(__file__).parents[1]
SCRIPT = Path(__file__).parent / "scripts" / "search_in_milvus.py"
RANKING = SCRIPT.with_name("rank_in_milvus.py")
COMMAND = (
    f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); from keras_osnet.cli import main; main()"
)


@pytest.fixture(scope="module")
def milvus(environment):
    client = ["click", "rich", "pillow", "filelock", "jinja2"]
    return environment(["milvus-lite>=3.2", "pymilvus>=3.0", "pyarrow", *client])


@pytest.fixture(scope="module")
def address(milvus, tmp_path_factory):
    """Start a server on this machine's own address only."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = ["--host", "127.0.0.1", "--port", str(port)]
    data = ["--data-dir", str(tmp_path_factory.mktemp("milvus"))]
    program = milvus.python.parent / "milvus-lite"
    server = subprocess.Popen(
        [program, "server", *place, *data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 60
    while True:
        assert server.poll() is None
        assert time.monotonic() < end
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.2)
    yield f"http://127.0.0.1:{port}"
    server.kill()
    server.wait()


def test_add_search_delete_count_and_export(milvus, address, tmp_path):
    report = milvus.run(SCRIPT, PACKAGE, TESTS, address, tmp_path)
    for name, pattern in {
        "absent": "FileNotFoundError: There is no gallery yet",
        "model": "ValueError: .*different models cannot be compared.*Received: other",
        "dim": "ValueError: `vectors` must have 16 numbers each.*Received: 3",
        "index": "ValueError: `exact` must be True: the gallery has no index",
        "limit": "ValueError: `limit` must be at most 16,384 in Milvus. Received: 20,000",
        "refused": "GalleryError: The gallery could not be opened: .*http://127.0.0.1:9",
    }.items():
        assert re.match(pattern, report["errors"][name]), report["errors"][name]


def test_640_real_images(milvus, address, reference, tmp_path):
    vectors = write_vectors(reference, tmp_path)
    report = milvus.run(RANKING, PACKAGE, TESTS, address, vectors)
    assert report["ranking"] == [77.19, 61.67]


def test_command_line(milvus, address):
    def run(*arguments):
        return subprocess.run(
            [milvus.python, "-c", COMMAND, "gallery", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"PYTHONPATH": ""},
        )

    begun = time.monotonic()
    absent = run("info", "http://127.0.0.1:9")
    assert (absent.returncode, time.monotonic() - begun < 30) == (1, True)
    assert "Traceback" not in absent.stderr + absent.stdout
    assert "could not be opened" in absent.stderr
    assert "There is no gallery yet" in run("info", f"{address}/nothing").stderr
