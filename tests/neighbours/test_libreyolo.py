"""LibreYOLO's Deep OC-SORT takes the function of `Embedder.for_tracker` itself."""

from pathlib import Path

import numpy as np
from environments import TORCH

SCRIPT = Path(__file__).parent / "scripts/track_with_libreyolo.py"
ROOT = Path(__file__).parents[2]


def test_tracks_people_beside_boxes_without_a_pixel(environment, crops):
    libreyolo = environment(
        [TORCH],
        ["numpy", "pillow", "onnxruntime", "opencv-python-headless", "pyyaml", "scipy"],
        ["libreyolo>=1.6", "--no-deps"],
    )
    result = libreyolo.run(SCRIPT, ROOT, crops.folder / "osnet.onnx", crops.folder / "crops.npy")
    first, second = result["numbers"][0]
    assert first != second
    assert result["numbers"] == [[first, second]] * 12
    cosine = (np.array(result["vectors"]) * crops.vectors[:2]).sum(axis=1).min()
    print(f"libreyolo {libreyolo.version('libreyolo')}: {cosine}")
    assert cosine > 0.9999
