"""Embed people with the encoder of Ultralytics' trackers: FILE CROPS LARGE, RGB.

Print the embeddings of crops that are whole frames; of large ones, which Ultralytics makes smaller;
and of the crops as boxes of one frame, from which Ultralytics cuts more than the box.
"""

import json
import sys

import numpy as np
from ultralytics.trackers.utils.reid import ReID


def whole(images: np.ndarray) -> list[list[float]]:
    """Return the embedding of each image as a box of a frame that ends where the box ends."""
    height, width = images.shape[1:3]
    box = np.array([[width / 2, height / 2, width, height]])
    return [encoder(np.ascontiguousarray(each[..., ::-1]), box)[0].tolist() for each in images]


def boxes(images: np.ndarray) -> list[list[float]]:
    """Return the embeddings of the images beside each other in one frame."""
    count, height, width, _ = images.shape
    frame = np.concatenate(images[..., ::-1], axis=1)
    centers = width * (np.arange(count) + 0.5)
    rows = [(center, height / 2, width, height) for center in centers]
    return [vector.tolist() for vector in encoder(frame, np.array(rows))]


file, crops, large = sys.argv[1], np.load(sys.argv[2]), np.load(sys.argv[3])
encoder = ReID(file, device="cpu")
print(
    json.dumps(
        {
            "size": list(encoder.imgsz),
            "crops": whole(crops),
            "large": whole(large),
            "boxes": boxes(crops),
        }
    )
)
