"""A process that is killed at any moment, and resumed: every crop exactly once."""

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
images, folder, model = sys.argv[1:]
embedder = Embedder(model, pixel_range="0-1", verify=False)
embed_to_parquet(images, folder, embedder, resume=True, rows_per_part=500)
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


def test_every_crop_exactly_once(listing, model_file, embedder, tmp_path):
    folder = tmp_path / "vectors"

    def count():
        return len(list(folder.glob("part-*")))

    command = [sys.executable, "-c", RUN, str(listing), str(folder), str(model_file)]
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
    dataset = VectorDataset(folder)
    keys = [key for batch in dataset.batches(["key"]) for key in batch.column(0).to_pylist()]
    unreadable = [key for batch in dataset.unreadable() for key in batch.column(0).to_pylist()]
    assert sorted(map(int, keys + unreadable)) == list(range(20_000))
    assert len(unreadable) == 80
    assert not list(folder.rglob(".keras-osnet-*"))
    paths = next(dataset.batches(["path"], rows=50)).column(0).to_pylist()
    np.testing.assert_allclose(dataset.vectors()[:50], embedder.embed(paths), atol=5e-4)
