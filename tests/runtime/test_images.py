import numpy as np
import pytest
from PIL import Image

from keras_osnet.data import ImageReadError
from keras_osnet.data.images import resize_image
from keras_osnet.runtime.images import to_pixels

FRAME = np.arange(6 * 8 * 3, dtype="uint8").reshape(6, 8, 3)


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


@pytest.mark.parametrize("size", [(40, 17), (7, 90), (300, 120), (64, 32)])
def test_a_frame_of_opencv_is_resized_to_the_same_pixels(size):
    frame = np.random.default_rng(0).integers(0, 256, (310, 130, 3), "uint8")
    crop = frame[5 : 5 + size[0], 3 : 3 + size[1]]
    expected = np.array(Image.fromarray(crop).resize((32, 64), Image.Resampling.BILINEAR))
    reverse = np.ascontiguousarray(frame[:, :, ::-1])[5 : 5 + size[0], 3 : 3 + size[1], ::-1]
    for given in (crop, reverse):
        np.testing.assert_array_equal(resize_image(given, (64, 32)), expected)
