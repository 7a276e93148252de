import numpy as np
import pytest

from keras_osnet.runtime.boxes import cut_out

FRAME = np.arange(6 * 8 * 3, dtype="uint8").reshape(6, 8, 3)


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((0, 0, 8, 6), slice(0, 6), slice(0, 8)),
        ((2, 1, 5, 3), slice(1, 3), slice(2, 5)),
        ((2.4, 1.5, 5.49, 3.5), slice(2, 4), slice(2, 5)),  # halves go up
        ((-3, -2.5, 4, 100), slice(0, 6), slice(0, 4)),
        ((7, 5, 8, 6), slice(5, 6), slice(7, 8)),  # one pixel
        ((-1e30, 0, 1e300, 1), slice(0, 1), slice(0, 8)),
    ],
)
def test_boxes(box, rows, columns):
    (crop,), valid = cut_out(FRAME, [box])
    assert valid.tolist() == [True]
    np.testing.assert_array_equal(crop, FRAME[rows, columns])


def test_neighbors_share_no_pixel():
    for edge in (2.2, 2.5, 3.5, 3.7):
        (left, right), _ = cut_out(FRAME, [(0, 0, edge, 6), (edge, 0, 8, 6)])
        assert left.shape[1] + right.shape[1] == 8


@pytest.mark.parametrize("boxes", [[], np.zeros((0, 4)), np.zeros((0,), int)])
def test_no_boxes(boxes):
    crops, valid = cut_out(FRAME, boxes)
    assert (crops, valid.shape, valid.dtype) == ([], (0,), bool)


INVALID = [
    (3, 1, 3, 4),
    (5, 1, 2, 4),
    (2, 4, 5, 1),
    (2.1, 1, 2.4, 4),
    (8, 0, 12, 6),
    (-9, 0, 0, 6),
    (0, 6, 8, 9),
    (np.nan, 0, 8, 6),
    (0, 0, 8, np.nan),
    (-np.inf, 0, np.inf, 1),
    (0, 0, np.inf, 6),
]


@pytest.mark.parametrize("box", INVALID)
def test_boxes_without_a_pixel_are_named(box):
    with pytest.raises(ValueError, match=r"frame \(8 x 6\).*Received: boxes\[1\] = \("):
        cut_out(FRAME, [(0, 0, 2, 2), box, (0, 0, 1, 1)])


@pytest.mark.filterwarnings("error")
def test_boxes_without_a_pixel_are_left_out():
    boxes = [(0, 0, 2, 2), *INVALID, (1, 0, 2, 1)]
    crops, valid = cut_out(FRAME, boxes, strict=False)
    assert valid.tolist() == [True, *[False] * len(INVALID), True]
    np.testing.assert_array_equal(crops[0], FRAME[:2, :2])
    np.testing.assert_array_equal(crops[1], FRAME[:1, 1:2])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("box_format", "box"),
    [
        ("xyxy", (2, 1, 6, 4)),
        ("ltwh", (2, 1, 4, 3)),
        ("xywh", (4, 2.5, 4, 3)),
    ],
)
def test_formats_of_boxes(box_format, box):
    (crop,), _ = cut_out(FRAME, [box], box_format=box_format)
    np.testing.assert_array_equal(crop, FRAME[1:4, 2:6])
    for odd in (np.nan, np.inf, 1e308):  # their sums and differences are not finite, either
        for place in range(4):
            wrong = [*box[:place], -odd, *box[place + 1 :]], [odd] * 4
            crops, valid = cut_out(FRAME, wrong, box_format=box_format, strict=False)
            assert (len(crops), len(valid)) == (valid.sum(), 2)
    if box_format != "xyxy":
        for size in (0, -4, 0.3):
            boxes = [(*box[:2], size, 3)]
            assert not cut_out(FRAME, boxes, box_format=box_format, strict=False)[1].any()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("box_format", ["xyxy", "ltwh", "xywh"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_no_box_stops_it(box_format, dtype):
    numbers = [0, -0.0, 0.3, 0.5, 2, 7.5, 8, 1e9, -1e9, 2.0**63, 1e-310, np.finfo(dtype).max]
    numbers = np.array([*numbers, np.inf, -np.inf, np.nan, -3], dtype)
    boxes = np.random.default_rng(0).choice(numbers, (5000, 4))
    crops, valid = cut_out(FRAME, boxes, box_format=box_format, strict=False)
    assert len(crops) == valid.sum() > 50
    assert all(crop.size and np.shares_memory(crop, FRAME) for crop in crops)
    assert np.isfinite(boxes[valid]).all()


def test_other_formats_of_boxes():
    with pytest.raises(ValueError, match=r"`box_format` must be one of 'xyxy'.*'yolo'"):
        cut_out(FRAME, [(0, 0, 1, 1)], box_format="yolo")
    with pytest.raises(ValueError, match=r"center x, center y, width, height.*shape \(1, 3\)"):
        cut_out(FRAME, [(0, 0, 1)], box_format="xywh")


def test_frames_of_opencv():
    (crop,), _ = cut_out(FRAME[..., ::-1], [(1, 2, 4, 5)], bgr=True)
    np.testing.assert_array_equal(crop, FRAME[2:5, 1:4])
    with pytest.raises(ValueError, match=r"`bgr`.*Received: 'yes'"):
        cut_out(FRAME, [(0, 0, 1, 1)], bgr="yes")


@pytest.mark.parametrize("boxes", [[1, 2, 3, 4], [[1, 2, 3]], np.ones((1, 2, 4)), np.zeros((0, 5))])
def test_boxes_of_another_shape(boxes):
    with pytest.raises(ValueError, match=r"`boxes`.*left, top, right, bottom.*shape"):
        cut_out(FRAME, boxes)


def test_fractions_of_the_frame_are_named():
    with pytest.raises(ValueError, match=r"in pixels.*\(8 x 6\).*Received: boxes\[0\] = \(0.1"):
        cut_out(FRAME, [(0.1, 0.2, 0.9, 1.0)])
    with pytest.warns(UserWarning, match="in pixels"):
        cut_out(FRAME, [(0.1, 0.2, 0.9, 1.0)], strict=False)


@pytest.mark.parametrize(
    "boxes", [[("a", 0, 1, 1)], [(0, 0, 1, 1), (0, 0, 1)], [{}], "box", [(0, 0, 1, 10**400)]]
)
def test_boxes_that_are_no_numbers(boxes):
    with pytest.raises(ValueError, match=r"`boxes` must be numbers.*Received: "):
        cut_out(FRAME, boxes)


@pytest.mark.parametrize("dtype", ["complex64", "datetime64[D]", "str"])
def test_boxes_of_types_that_numpy_would_convert(dtype):
    boxes = np.ones((1, 4), int).astype(dtype)
    with pytest.raises(ValueError, match=r"`boxes` must be numbers.*not of type.*Received: "):
        cut_out(FRAME, boxes, strict=False)


def test_boxes_that_give_no_array():
    class WithGradient:
        """Like a tensor of torch that requires a gradient."""

        def __array__(self, *_, **__):
            raise RuntimeError("Use tensor.detach().numpy() instead.")

    with pytest.raises(ValueError, match=r"`boxes` must be numbers.*detach.*Received: "):
        cut_out(FRAME, WithGradient())


@pytest.mark.parametrize("frame", [FRAME[..., 0], FRAME[None], FRAME[..., :2], FRAME[:0]])
def test_frames_of_another_shape(frame):
    with pytest.raises(ValueError, match=r"`frame`.*\(height, width, 3\).*Received: shape"):
        cut_out(frame, [(0, 0, 1, 1)])


@pytest.mark.parametrize("frame", [FRAME / 255, FRAME.astype("int64"), FRAME.tolist(), None])
def test_frames_that_are_no_pixels(frame):
    with pytest.raises(TypeError, match=r"`frame`.*Received: "):
        cut_out(frame, [(0, 0, 1, 1)])
