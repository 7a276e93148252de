import numpy as np
import pytest

from keras_osnet.metrics.labels import checked_labels


@pytest.mark.parametrize("with_cameras", [True, False])
def test_what_is_found_is_that_of_plain_loops(with_cameras):
    rng = np.random.default_rng(0)
    query_ids, gallery_ids = rng.integers(-3, 9, 30), rng.integers(-1, 12, 70)
    cameras = (rng.integers(0, 3, 30), rng.integers(0, 4, 70)) if with_cameras else (None, None)
    labels = checked_labels(query_ids, gallery_ids, *cameras, (30, 70), "distances")
    for query in range(30):
        same = [image for image in range(70) if gallery_ids[image] == query_ids[query]]
        own = [image for image in same if with_cameras and cameras[1][image] == cameras[0][query]]
        matches, left_out = labels.found_by(query)
        assert left_out.tolist() == own
        assert matches.tolist() == [image for image in same if image not in own]
