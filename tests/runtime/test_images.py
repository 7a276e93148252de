import numpy as np
import pytest
from PIL import Image

from keras_osnet.data import ImageReadError
from keras_osnet.runtime.images import cut_out, to_pixels

FRAME = np.arange(6 * 8 * 3, dtype="uint8").reshape(6, 8, 3)


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((0, 0, 8, 6), slice(0, 6), slice(0, 8)),
        ((2, 1, 5, 3), slice(1, 3), slice(2, 5)),
        ((2.4, 1.5, 5.49, 3.5), slice(2, 4), slice(2, 5)),  # halves go up
        ((-3, -2.5, 4, 100), slice(0, 6), slice(0, 4)),
        ((7, 5, 8, 6), slice(5, 6), slice(7, 8)),  # one pixel
        ((-np.inf, 0, np.inf, 1), slice(0, 1), slice(0, 8)),
    ],
)
def test_boxes(box, rows, columns):
    (crop,) = cut_out(FRAME, [box])
    np.testing.assert_array_equal(crop, FRAME[rows, columns])


def test_neighbors_share_no_pixel():
    for edge in (2.2, 2.5, 3.5, 3.7):
        left, right = cut_out(FRAME, [(0, 0, edge, 6), (edge, 0, 8, 6)])
        assert left.shape[1] + right.shape[1] == 8


@pytest.mark.parametrize("boxes", [[], np.zeros((0, 4)), np.zeros((0,), int)])
def test_no_boxes(boxes):
    assert cut_out(FRAME, boxes) == []


@pytest.mark.parametrize(
    "box",
    [
        (3, 1, 3, 4),
        (5, 1, 2, 4),
        (2, 4, 5, 1),
        (2.1, 1, 2.4, 4),
        (8, 0, 12, 6),
        (-9, 0, 0, 6),
        (0, 6, 8, 9),
        (np.nan, 0, 8, 6),
        (0, 0, 8, np.nan),
    ],
)
def test_boxes_without_a_pixel_are_named(box):
    with pytest.raises(ValueError, match=r"frame \(8 x 6\).*Received: boxes\[1\] = \("):
        cut_out(FRAME, [(0, 0, 2, 2), box, (0, 0, 1, 1)])


@pytest.mark.parametrize("boxes", [[1, 2, 3, 4], [[1, 2, 3]], np.ones((1, 2, 4)), np.zeros((0, 5))])
def test_boxes_of_another_shape(boxes):
    with pytest.raises(ValueError, match=r"`boxes`.*left, top, right, bottom.*shape"):
        cut_out(FRAME, boxes)


def test_fractions_of_the_frame_are_named():
    with pytest.raises(ValueError, match=r"in pixels.*\(8 x 6\).*Received: boxes\[0\] = \(0.1"):
        cut_out(FRAME, [(0.1, 0.2, 0.9, 1.0)])


@pytest.mark.parametrize("boxes", [[("a", 0, 1, 1)], [(0, 0, 1, 1), (0, 0, 1)], [{}], "box"])
def test_boxes_that_are_no_numbers(boxes):
    with pytest.raises(ValueError, match=r"`boxes` must be numbers.*Received: "):
        cut_out(FRAME, boxes)


@pytest.mark.parametrize("frame", [FRAME[..., 0], FRAME[None], FRAME[..., :2], FRAME[:0]])
def test_frames_of_another_shape(frame):
    with pytest.raises(ValueError, match=r"`frame`.*\(height, width, 3\).*Received: shape"):
        cut_out(frame, [(0, 0, 1, 1)])


@pytest.mark.parametrize("frame", [FRAME / 255, FRAME.astype("int64"), FRAME.tolist(), None])
def test_frames_that_are_no_pixels(frame):
    with pytest.raises(TypeError, match=r"`frame`.*Received: "):
        cut_out(frame, [(0, 0, 1, 1)])


def test_a_damaged_file_that_pillow_has_opened_is_named(tmp_path):
    path = tmp_path / "cut.png"
    Image.fromarray(FRAME.repeat(40, axis=0)).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ImageReadError, match=rf"Received: {path}"):
        to_pixels(Image.open(path), "images[0]")


def test_a_photo_that_pillow_has_opened_is_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(FRAME).save(tmp_path / "photo.png", exif=exif)
    turned = to_pixels(Image.open(tmp_path / "photo.png"), "images[0]")
    np.testing.assert_array_equal(turned, np.rot90(FRAME, -1))
    np.testing.assert_array_equal(turned, to_pixels(tmp_path / "photo.png", "images[0]"))
