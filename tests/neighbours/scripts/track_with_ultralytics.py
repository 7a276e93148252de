"""Track four people in a still scene with a tracker of Ultralytics: NAME FILE CROPS, RGB.

Print the number of tracks and the shapes of the embeddings that they keep.
"""

import json
import sys

import numpy as np
from ultralytics.engine.results import Boxes
from ultralytics.trackers.track import TRACKER_MAP
from ultralytics.utils import YAML, IterableSimpleNamespace
from ultralytics.utils.checks import check_yaml

name, file, crops = sys.argv[1], sys.argv[2], np.load(sys.argv[3])[:4]
settings = YAML.load(check_yaml(f"{name}.yaml")) | {"with_reid": True, "model": file}
tracker = TRACKER_MAP[name](args=IterableSimpleNamespace(**settings))
height, width = crops.shape[1:3]
frame = np.concatenate(crops[..., ::-1], axis=1)
rows = [(left, 0, left + width, height, 0.9, 0) for left in range(0, 4 * width, width)]
for _ in range(4):
    boxes = Boxes(np.array(rows, np.float32), frame.shape[:2])
    tracks = tracker.update(boxes, frame)
kept = [list(np.shape(track.smooth_feat)) for track in tracker.tracked_stracks]
print(json.dumps({"tracks": len(tracks), "embeddings": kept}))
