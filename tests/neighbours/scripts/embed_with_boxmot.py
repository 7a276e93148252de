"""Embed people with BoxMOT: FILE CROPS LARGE, RGB.

Print the embeddings of the crops, of the same as boxes of a frame, and of large ones, which BoxMOT
makes smaller; and the architecture and the size of images that it found.
"""

import json
import sys

import numpy as np
from boxmot.reid.core import ReID


def frame_of(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the images beside each other, BGR, and their boxes."""
    count, height, width, _ = images.shape
    boxes = [(left, 0, left + width, height) for left in range(0, count * width, width)]
    return np.concatenate(images[..., ::-1], axis=1), np.array(boxes, np.float32)


file, crops, large = sys.argv[1], np.load(sys.argv[2]), np.load(sys.argv[3])
reid = ReID(file, device="cpu")
vectors = {
    "crops": reid([np.ascontiguousarray(crop[..., ::-1]) for crop in crops]),
    "boxes": reid(*frame_of(crops)),
    "large": reid(*frame_of(large)),
}
found = {"architecture": reid.model.model_name, "size": list(reid.model.input_shape)}
print(json.dumps(found | {name: each.tolist() for name, each in vectors.items()}))
