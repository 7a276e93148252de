"""Run every Python block of the README and the documentation."""

import re
from pathlib import Path

import keras
import pytest

import keras_osnet
from keras_osnet.weights import sources, to_torchreid, write_torch_checkpoint

pytestmark = pytest.mark.large

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{path.relative_to(ROOT)}-{number}")
    for path in DOCUMENTS
    for number, block in enumerate(
        re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), re.DOTALL), start=1
    )
]


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    """Replace downloads with random weights of the requested architecture."""

    def download(repository, file, **_):
        width = float(re.search(r"_x(\d+_\d+)_", file)[1].replace("_", "."))
        classes = 1000 if "imagenet" in file else 4101
        path = tmp_path / "download.pth"
        tensors = to_torchreid(keras_osnet.OSNet(width, classes=classes))
        write_torch_checkpoint(path, {f"module.{k}": v for k, v in tensors.items()})
        return path

    monkeypatch.setattr(sources, "download", download)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def quick_fit(block):
    """Train eagerly: for a single step, TensorFlow would build a graph for a minute."""
    if ".fit(" not in block or keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.filterwarnings("ignore:The classifier of")
@pytest.mark.filterwarnings("ignore:Even though the `tf.config")
@pytest.mark.parametrize("block", BLOCKS)
def test_block(block, no_network, quick_fit):
    if "keras_osnet.gallery" in block:
        pytest.importorskip("lance", reason="the extra `gallery` is not installed")
    exec(compile(block, "<document>", "exec"), {"__name__": "__main__"})


def test_blocks_are_found():
    assert len(BLOCKS) >= 5
