"""Several processes on one gallery, and processes that are killed."""

import os
import signal
import subprocess
import sys
import time

import pytest
from gallery_rows import some_vectors

from keras_osnet.gallery import Gallery

WRITER = """
import sys
from gallery_rows import some_vectors
from keras_osnet.gallery import Gallery
path, first, parts = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with Gallery.open(path) as gallery:
    for part in range(first, first + parts):
        keys = [f"{part}-{i}" for i in range(20)]
        columns = {"key": keys, f"extra{first}": part} if part % 2 else {"key": keys}
        gallery.add(some_vectors(20, seed=part), columns, model="m")
        print(part, flush=True)
"""

READER = """
import sys, time
from gallery_rows import some_vectors
from keras_osnet.gallery import Gallery
last, end = 0, time.monotonic() + float(sys.argv[2])
with Gallery.open(sys.argv[1]) as gallery:
    while time.monotonic() < end:
        keys = [row["key"] for row in gallery.search(some_vectors(1), 10_000)[0]]
        assert len(set(keys)) == len(keys) and len(keys) % 20 == 0, len(keys)
        assert len(keys) >= last, (len(keys), last)
        last = len(keys)
print(last)
"""

pytest.importorskip("lance", reason="the extra `gallery` is not installed")


def start(code, *arguments):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def ended(process):
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output.split()


def keys_of(path):
    with Gallery.open(path) as gallery:
        return gallery.read(["key"])["key"].to_pylist()


@pytest.mark.large
def test_two_writers_and_three_readers(tmp_path):
    path = tmp_path / "people.lance"
    with Gallery.open(path) as gallery:
        gallery.add(some_vectors(20, seed=999), {"key": [f"999-{i}" for i in range(20)]}, model="m")
    writers = [start(WRITER, path, first, 15) for first in (0, 100)]
    readers = [start(READER, path, 6) for _ in range(3)]
    written = {part for writer in writers for part in ended(writer)}
    for reader in readers:
        ended(reader)
    assert len(written) == 30
    keys = keys_of(path)
    assert sorted(keys) == sorted(f"{part}-{i}" for part in written | {"999"} for i in range(20))


@pytest.mark.large
def test_writers_that_create_the_gallery_and_add_the_same_rows(tmp_path):
    path = tmp_path / "people.lance"
    for writer in [start(WRITER, path, 0, 10) for _ in range(3)]:
        ended(writer)
    keys = keys_of(path)
    assert sorted(keys) == sorted(f"{part}-{i}" for part in range(10) for i in range(20))


@pytest.mark.large
def test_compaction_beside_a_writer_and_a_reader(tmp_path):
    path = tmp_path / "people.lance"
    with Gallery.open(path) as gallery:
        gallery.add(some_vectors(20, seed=999), {"key": [f"999-{i}" for i in range(20)]}, model="m")
        writer, reader = start(WRITER, path, 0, 20), start(READER, path, 6)
        while writer.poll() is None:
            gallery.compact()
            time.sleep(0.1)
    ended(writer)
    ended(reader)
    assert len(keys_of(path)) == 21 * 20


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.large
@pytest.mark.parametrize("parts", [1, 3, 6])
def test_kill_during_add(tmp_path, parts):
    """All rows are there whose `add` returned, parts are whole, and the next writer goes on."""
    path = tmp_path / "people.lance"
    writer = start(WRITER, path, 0, 1000)
    acknowledged = [writer.stdout.readline().strip() for _ in range(parts)]
    time.sleep(0.01 * parts)
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += writer.communicate()[0].split()
    keys = keys_of(path)
    assert len(set(keys)) == len(keys)
    assert len(keys) in (20 * len(acknowledged), 20 * (len(acknowledged) + 1))
    assert {f"{part}-{i}" for part in acknowledged for i in range(20)} <= set(keys)
    assert len(ended(start(WRITER, path, 0, len(acknowledged) + 2))) == len(acknowledged) + 2
    assert len(keys_of(path)) == 20 * (len(acknowledged) + 2)
