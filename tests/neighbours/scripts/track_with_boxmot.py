"""Track the people of a video with BoxMOT's BoT-SORT: VIDEO [FILE [near]].

Without FILE, by motion alone. With `near`, the appearance is compared as BoxMOT does by default: of
boxes that overlap the place where a person is expected.

VIDEO holds the arrays of `two_cameras.Video`. Print the number that the tracker gave each box (-1
for none) and counts of TrackEval, which compares numbers and people by the boxes.
"""

import json
import sys
from typing import Any

import numpy as np
from boxmot import BotSort
from trackeval.metrics import CLEAR, Identity

SETTINGS = {
    "track_buffer": 200,  # frames, so that people are remembered between the cameras
    "use_cmc": False,  # the cameras stand still
}
"""Those that differ from the defaults of `BotSort`."""

ANYWHERE = {"proximity_thresh": 1.0}
"""Compares the appearance at any distance, as between cameras."""


def track(video: Any, tracker: BotSort) -> np.ndarray:
    """Return the number of each box."""
    numbers = np.full(len(video["boxes"]), -1)
    for moment, image in enumerate(video["images"]):
        rows = np.flatnonzero(video["frames"] == moment)
        scores = np.tile((0.9, 0), (len(rows), 1))
        boxes = np.concatenate([video["boxes"][rows], scores], axis=1).astype(np.float32)
        for *_, number, _, _, row in tracker.update(boxes, np.ascontiguousarray(image[..., ::-1])):
            numbers[rows[int(row)]] = int(number)
    return numbers


def count(video: Any, numbers: np.ndarray) -> dict[str, float]:
    """Compare the numbers with the people."""
    tracked = np.flatnonzero(numbers >= 0)
    names, codes = np.unique(numbers[tracked], return_inverse=True)
    by_frame = [np.flatnonzero(video["frames"] == frame) for frame in range(len(video["images"]))]
    data = {
        "num_timesteps": len(by_frame),
        "num_gt_ids": len(np.unique(video["people"])),
        "num_tracker_ids": len(names),
        "num_gt_dets": len(numbers),
        "num_tracker_dets": len(tracked),
        "gt_ids": [video["people"][rows] for rows in by_frame],
        "tracker_ids": [codes[np.isin(tracked, rows)] for rows in by_frame],
        "similarity_scores": [
            np.equal.outer(rows, rows[numbers[rows] >= 0]).astype(float) for rows in by_frame
        ],
    }
    identity = Identity({"PRINT_CONFIG": False}).eval_sequence(data)
    clear = CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
    return {
        "idf1": float(identity["IDF1"]),
        "right": int(identity["IDTP"]),
        "boxes": len(numbers),
        "switches": int(clear["IDSW"]),
        "numbers": len(names),
    }


video = dict(np.load(sys.argv[1]))
reid: dict[str, Any] = {"use_embeddings": False}
if len(sys.argv) > 2:
    reid = {"reid_weights": sys.argv[2]} | ({} if sys.argv[3:] == ["near"] else ANYWHERE)
given = track(video, BotSort(**SETTINGS, **reid))
print(json.dumps(count(video, given) | {"given": given.tolist()}))
