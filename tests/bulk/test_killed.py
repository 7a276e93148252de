"""Processes that are killed at any moment, or run at the same time: every crop exactly once."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from keras_osnet.bulk import VectorDataset, embed_to_parquet

pytestmark = pytest.mark.large

RUN = """
import sys
from keras_osnet.bulk import embed_to_parquet
from keras_osnet.runtime import Embedder
images, folder, model, shard, shards = sys.argv[1:]
embedder = Embedder(model, pixel_range="0-1", verify=False)
shard = int(shard), int(shards)
embed_to_parquet(images, folder, embedder, resume=True, shard=shard, rows_per_part=500)
"""


@pytest.fixture
def listing(crops, tmp_path):
    """Write a list of 20,000 crops, some of which cannot be read."""
    files = sorted(crops.rglob("*.png"))
    lines = [
        f"{index},{files[index % 100] if index % 250 else 'gone.png'}" for index in range(20_000)
    ]
    file = tmp_path / "list.csv"
    file.write_text("\n".join(["key,path", *lines]))
    return file


def wait_for(condition, process):
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < end
        time.sleep(0.01)


def check_rows(folder):
    """Check that every crop of the list is there once; return the data set."""
    dataset = VectorDataset(folder)
    keys = [key for batch in dataset.batches(["key"]) for key in batch.column(0).to_pylist()]
    unreadable = [key for batch in dataset.unreadable() for key in batch.column(0).to_pylist()]
    assert sorted(map(int, keys + unreadable)) == list(range(20_000))
    assert len(unreadable) == 80
    return dataset


def test_every_crop_exactly_once(listing, model_file, embedder, tmp_path):
    folder = tmp_path / "vectors"

    def count():
        return len(list(folder.glob("part-*")))

    command = [sys.executable, "-c", RUN, str(listing), str(folder), str(model_file), "1", "1"]
    moments = (
        lambda: (folder / ".lock-1-of-1").exists(),
        lambda: count() >= before + 3,
        # While a part is being written.
        lambda: count() > before and any(folder.glob(".keras-osnet-*")),
    )
    for moment in moments:
        before = count()
        process = subprocess.Popen(command)
        wait_for(moment, process)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert count() > 3
    result = embed_to_parquet(listing, folder, embedder, resume=True, rows_per_part=500)
    assert result.skipped >= 500
    dataset = check_rows(folder)
    assert not list(folder.rglob(".keras-osnet-*"))
    paths = next(dataset.batches(["path"], rows=50)).column(0).to_pylist()
    np.testing.assert_allclose(dataset.vectors()[:50], embedder.embed(paths), atol=5e-4)


def test_shards_at_the_same_time_and_one_of_them_twice(listing, model_file, tmp_path):
    folder = tmp_path / "vectors"
    commands = [
        [sys.executable, "-c", RUN, str(listing), str(folder), str(model_file), shard, "3"]
        for shard in ("1", "2", "3")
    ]
    processes = [subprocess.Popen(command) for command in commands]
    wait_for((folder / ".lock-2-of-3").exists, processes[1])
    again = subprocess.run(commands[1], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "Another process is writing shard 2 of 3 to this folder" in again.stderr
    assert [process.wait() for process in processes] == [0, 0, 0]
    check_rows(folder)
