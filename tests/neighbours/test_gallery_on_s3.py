"""Galleries on an object store: moto's S3 server on this machine."""

import os
import subprocess
import sys
import time

import pytest
from gallery_rows import some_columns, some_vectors

pytest.importorskip("lance", reason="the extra `gallery` is not installed")

WRITER = """
import sys
from gallery_rows import some_vectors
from keras_osnet.gallery import Gallery
with Gallery.open(sys.argv[1]) as gallery:
    for part in range(5):
        keys = [f"{sys.argv[2]}-{part}-{i}" for i in range(20)]
        gallery.add(some_vectors(20, seed=part), {"key": keys}, model="m")
        print(part, flush=True)
"""

READER = """
import sys
from gallery_rows import some_vectors
from keras_osnet.gallery import Gallery
with Gallery.open(sys.argv[1]) as gallery:
    for _ in range(20):
        keys = [row["key"] for row in gallery.search(some_vectors(1), 1000)[0]]
        assert len(set(keys)) == len(keys) and len(keys) % 20 == 0, len(keys)
print(len(keys))
"""

SERVER = """
import json, sys, time
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
import boto3
host, port = server.get_host_and_port()
keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", **keys).create_bucket(Bucket="people")
print(port, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def store(environment):
    """Start a server and return the variables that Lance reads."""
    moto = environment(["moto[server]", "boto3"])
    server = subprocess.Popen(
        [moto.python, "-I", "-c", SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    port = int(server.stdout.readline())
    yield {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
    }
    server.kill()
    server.wait()


@pytest.fixture
def open_gallery(store, monkeypatch):
    from keras_osnet.gallery import Gallery

    for name, value in store.items():
        monkeypatch.setenv(name, value)
    return Gallery.open


def test_add_search_delete_and_compact(open_gallery, tmp_path):
    with open_gallery("s3://people/one.lance") as gallery:
        assert gallery.model is None
        assert gallery.add(some_vectors(40), some_columns(40), model="m") == 40
        assert gallery.add(some_vectors(40), some_columns(40), model="m") == 0
        found = gallery.search(some_vectors(40)[7], 3, not_camera=0)[0]
        assert (found[0]["key"], found[0]["similarity"]) == ("crop-7", pytest.approx(1, abs=1e-3))
        assert gallery.delete(person="person 1") == 8
        gallery.compact()
        assert gallery.count() == gallery.export(tmp_path / "all.parquet") == 32
        assert gallery.info().bytes is None


def test_two_writers_and_three_readers(open_gallery, store):
    place = "s3://people/several.lance"
    with open_gallery(place) as gallery:
        gallery.add(some_vectors(20, seed=9), {"key": [f"x{i}" for i in range(20)]}, model="m")
    variables = os.environ | store
    variables["PYTHONPATH"] = os.pathsep.join(each for each in sys.path if each)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, place, str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=variables,
        )
        for number, code in enumerate([WRITER, WRITER, READER, READER, READER])
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    with open_gallery(place) as gallery:
        keys = gallery.read(["key"])["key"].to_pylist()
    assert len(keys) == len(set(keys)) == 20 + 2 * 5 * 20


def test_a_store_that_cannot_be_reached(open_gallery, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    begun = time.monotonic()
    with pytest.raises(OSError, match=r"The gallery could not be .*s3://people/one\.lance"):
        open_gallery("s3://people/one.lance").count()
    assert time.monotonic() - begun < 120
