import numpy as np
import pytest
from PIL import Image

from keras_osnet.data import ImageReadError
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
