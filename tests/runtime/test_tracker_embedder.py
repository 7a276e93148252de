import pickle

import numpy as np
import pytest

from keras_osnet.runtime import Embedder
from keras_osnet.runtime.tracker_embedder import TrackerEmbedder

INVALID = [
    (50, 0, 60, 32),  # outside of the frame
    (16, 0, 0, 32),
    (0, 0, 0, 32),
    (3.1, 0, 3.4, 32),
    (np.nan, 0, 16, 32),
    (0, 0, np.inf, 32),
]


@pytest.fixture(scope="module")
def scene():
    """Return a frame of two people side by side, and boxes of each format."""
    frame = np.random.default_rng(0).integers(0, 256, (32, 32, 3), "uint8")
    boxes = {
        "xyxy": [(0, 0, 16, 32), (16, 0, 32, 32)],
        "ltwh": [(0, 0, 16, 32), (16, 0, 16, 32)],
        "xywh": [(8, 16, 16, 32), (24, 16, 16, 32)],
    }
    return frame, boxes


def test_rows_of_invalid_boxes(described, scene):
    embedder = Embedder(described("any.onnx"))
    frame, (first, second) = scene[0], scene[1]["xyxy"]
    expected = embedder.embed_crops(frame, [first, second])
    boxes = [first, *INVALID, second]
    vectors = embedder.embed_crops(frame, boxes, invalid="nan")
    assert (vectors.shape, vectors.dtype) == ((len(boxes), 8), np.float32)
    np.testing.assert_array_equal(vectors[[0, -1]], expected)
    assert np.isnan(vectors[1:-1]).all()

    vectors, kept = embedder.embed_crops(frame, boxes, invalid="skip")
    np.testing.assert_array_equal(vectors, expected)
    assert kept.tolist() == [0, len(boxes) - 1]
    with pytest.raises(ValueError, match=r"Received: boxes\[1\] = \(50"):
        embedder.embed_crops(frame, boxes)
    with pytest.raises(ValueError, match=r"`invalid` must be one of 'raise', 'nan', 'skip'"):
        embedder.embed_crops(frame, boxes, invalid="zero")


@pytest.mark.parametrize("boxes", [[], np.zeros((0, 4)), INVALID])
def test_frames_without_a_valid_box(described, scene, boxes):
    embedder = Embedder(described("any.onnx"))
    vectors = embedder.embed_crops(scene[0], boxes, invalid="nan")
    assert vectors.shape == (len(boxes), 8)
    assert np.isnan(vectors).all()
    vectors, kept = embedder.embed_crops(scene[0], boxes, invalid="skip")
    assert (vectors.shape, kept.shape) == ((0, 8), (0,))
    assert embedder.for_tracker()(scene[0], boxes).shape == (len(boxes), 8)


@pytest.mark.parametrize("box_format", ["xyxy", "ltwh", "xywh"])
def test_the_callable_for_trackers(described, scene, box_format):
    embedder = Embedder(described("any.onnx"))
    frame, boxes = scene[0], scene[1][box_format]
    expected = embedder.embed_crops(frame, scene[1]["xyxy"])
    embed = embedder.for_tracker(box_format=box_format, bgr=True)
    np.testing.assert_array_equal(embed(frame[:, :, ::-1], boxes), expected)
    np.testing.assert_array_equal(
        embedder.embed_crops(frame[..., ::-1], boxes, box_format=box_format, bgr=True), expected
    )
    again = pickle.loads(pickle.dumps(embed))
    np.testing.assert_array_equal(again(frame[:, :, ::-1], boxes), expected)
    assert f"box_format='{box_format}', bgr=True" in repr(again)


def test_a_tracker_never_stops(described, scene):
    """A row is of length 1, and unlike the rows of other invalid boxes."""
    embed = Embedder(described("any.onnx")).for_tracker()
    frame, (first, second) = scene[0], scene[1]["xyxy"]
    vectors = embed(frame, [first, *INVALID, second])
    np.testing.assert_array_equal(vectors[[0, -1]], embed(frame, [first, second]))
    strange = np.concatenate([vectors[1:-1], embed(frame, INVALID[:2])])
    np.testing.assert_array_equal(strange @ strange.T, np.eye(8))
    assert ((strange == 0) | (strange == -1)).all()
    assert embed(frame, INVALID * 5).shape == (30, 8)  # more than there are places
    with pytest.warns(UserWarning, match="in pixels"):
        assert embed(frame, [(0.1, 0.1, 0.4, 0.9)]).shape == (1, 8)


def test_an_embedding_of_zeros_is_unlike_every_person(scene):
    class Dead:
        dim = 8

        def embed(self, crops):
            return np.zeros((len(crops), 8), np.float32)

    vectors = TrackerEmbedder(Dead())(scene[0], scene[1]["xyxy"])
    np.testing.assert_array_equal(vectors, -np.eye(8)[:2])


@pytest.mark.parametrize("name", ["any.tflite", "one.tflite", "four.tflite", "any.onnx", "any.xml"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_crop_has_the_same_vector_whatever_the_other_boxes_are(described, name, threads):
    """Threads share the crops of a frame; the last one of an odd number is run by all of them."""
    embedder = Embedder(described(name), threads=threads)
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (90, 120, 3), "uint8")
    corners = rng.integers(0, 60, (9, 2))
    boxes = np.concatenate([corners, corners + rng.integers(5, 30, (9, 2))], axis=1)
    plain = np.concatenate(
        [embedder.embed(frame[top:bottom, left:right]) for left, top, right, bottom in boxes]
    )
    for count in (9, 2, 7, 3, 1, 4):
        vectors = embedder.embed_crops(frame, boxes[:count])
        np.testing.assert_allclose(vectors, plain[:count], rtol=0, atol=1e-6)


def test_wrong_arguments_of_the_callable(described, scene):
    embedder = Embedder(described("any.onnx"))
    with pytest.raises(ValueError, match=r"`box_format`.*Received: 'tlbr'"):
        embedder.for_tracker(box_format="tlbr")
    with pytest.raises(ValueError, match=r"`bgr`.*Received: 1"):
        embedder.for_tracker(bgr=1)
    with pytest.raises(ValueError, match="`frame`"):
        embedder.for_tracker()(scene[0][..., 0], [])
    with pytest.raises(ValueError, match="`boxes`"):
        embedder.for_tracker()(scene[0], [(1, 2, 3)])
