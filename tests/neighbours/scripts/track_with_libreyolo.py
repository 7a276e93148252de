"""Track two people who walk: ROOT FILE CROPS. Print their numbers and the tracks' embeddings."""

import json
import sys

import numpy as np
import torch
from libreyolo.tracking.deepocsort import DeepOCSortTracker
from libreyolo.utils.results import Boxes, Results

sys.path.insert(0, sys.argv[1])

from keras_osnet.runtime import Embedder

file, crops = sys.argv[2], np.load(sys.argv[3])[:2]
height, width = crops.shape[1:3]
OUTSIDE = [[5000, 0, 5100, height], [300.1, 0, 300.4, height]]
"""Boxes without a pixel of the frame."""

tracker = DeepOCSortTracker(embedder=Embedder(file, verify=False).for_tracker())
numbers = []
for step in range(12):
    frame = np.full((height, 4 * width, 3), 127, np.uint8)
    lefts = [8 * step, 2 * width + 8 * step]
    for left, crop in zip(lefts, crops, strict=True):
        frame[:, left : left + width] = crop
    boxes = [[left, 0, left + width, height] for left in lefts] + OUTSIDE
    found = Boxes(torch.tensor(boxes), torch.full((4,), 0.9), torch.zeros(4))
    tracked = tracker.update(Results(boxes=found, orig_shape=frame.shape[:2]), frame)
    places = tracked.boxes.xyxy[:, 0].tolist()
    numbers.append([tracked.track_id[places.index(left)].item() for left in lefts])
kept = {track.id + 1: track.emb.tolist() for track in tracker.trackers}
print(json.dumps({"numbers": numbers, "vectors": [kept[number] for number in numbers[-1]]}))
