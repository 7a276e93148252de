"""deep-sort-realtime takes the vectors of `Embedder.for_tracker`, one for each box."""

from pathlib import Path

import numpy as np
import pytest

from keras_osnet.runtime import Embedder

SCRIPT = Path(__file__).parent / "scripts/track_with_deep_sort_realtime.py"


@pytest.fixture(scope="module")
def deep_sort(environment):
    # Its 1.3.2 looks for weights of its own with setuptools' pkg_resources.
    return environment(["deep-sort-realtime", "setuptools<81"])


def test_vectors_of_a_frame(deep_sort, crops, tmp_path):
    frame = np.concatenate(np.load(crops.folder / "crops.npy")[..., ::-1], axis=1)
    boxes = np.array([(left, 0, 128, 256) for left in range(0, 16 * 128, 128)])
    # A box outside of the frame, as motion models predict, is a detection like any other.
    boxes = np.concatenate([boxes, [(3000, 0, 128, 256)]])
    embed = Embedder(crops.folder / "osnet.onnx").for_tracker(box_format="ltwh", bgr=True)
    np.save(tmp_path / "embeddings.npy", np.stack([embed(frame, boxes) for _ in range(4)]))
    np.save(tmp_path / "boxes.npy", boxes)
    result = deep_sort.run(SCRIPT, tmp_path / "embeddings.npy", tmp_path / "boxes.npy")
    assert result["boxes"][:16] == list(range(16))
    cosine = crops.lowest_cosine(result["vectors"][:16])
    print(f"deep-sort-realtime {deep_sort.version('deep-sort-realtime')}: {cosine}")
    assert cosine > 0.9999
