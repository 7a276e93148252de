"""Track people in a still scene: EMBEDDINGS (frames, boxes, dim) BOXES (boxes, 4), ltwh.

Print the embeddings that the tracks keep of the last frame, in the order of the boxes.
"""

import json
import sys

import numpy as np
from deep_sort_realtime.deepsort_tracker import DeepSort

embeddings, boxes = np.load(sys.argv[1]), np.load(sys.argv[2])
tracker = DeepSort(embedder=None, max_cosine_distance=0.3)
detections = [(box.tolist(), 0.9, "person") for box in boxes]
for vectors in embeddings:
    tracks = tracker.update_tracks(detections, embeds=list(vectors))
people = {
    int(np.argmin(np.abs(boxes - track.to_ltwh(orig=True)).sum(axis=1))): track
    for track in tracks
    if track.is_confirmed()
}
vectors = [people[index].get_feature().tolist() for index in sorted(people)]
print(json.dumps({"boxes": sorted(people), "vectors": vectors}))
