"""Images to calibrate with and to compare on."""

import numpy as np
import pytest

from keras_osnet.data import read_image
from keras_osnet.deploy.images import read_images, synthetic_images
from keras_osnet.synthetic import write_synthetic_people

SIZE = (32, 16)


def test_folders_files_and_arrays(tmp_path):
    people = write_synthetic_people(tmp_path, 2, views=1, image_size=(48, 24))
    paths = [person.path for person in people]
    expected = np.stack([read_image(path, SIZE) for path in paths])
    np.testing.assert_array_equal(read_images("images", paths, SIZE), expected)
    np.testing.assert_array_equal(read_images("images", tmp_path, SIZE), expected)
    array = np.stack([read_image(path) for path in paths])
    np.testing.assert_array_equal(read_images("images", array, SIZE), expected)


def test_of_many_as_many_are_taken_evenly():
    images = np.arange(10, dtype="uint8")[:, None, None, None] * np.ones((1, *SIZE, 3), "uint8")
    chosen = read_images("images", images, SIZE, most=4)
    assert chosen[:, 0, 0, 0].tolist() == [0, 3, 6, 9]


def test_unreadable_files(tmp_path):
    people = write_synthetic_people(tmp_path, 1, views=1, image_size=SIZE)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"")
    with pytest.warns(UserWarning, match=r"`calibration`: Cannot read.*broken\.png"):
        images = read_images("calibration", tmp_path, SIZE)
    assert len(images) == len(people)
    with pytest.raises(ValueError, match=r"`calibration`: Cannot read"):
        read_images("calibration", [broken], SIZE)


@pytest.mark.parametrize(
    "given",
    [
        7,
        [],
        [1, 2],
        np.zeros((0, 8, 8, 3), "uint8"),
        np.zeros((8, 8, 3), "uint8"),
        np.zeros((1, 8, 8, 3)),
    ],
    ids=repr,
)
def test_what_is_no_images(given):
    with pytest.raises(ValueError, match=r"`images` (must|as an array).*Received"):
        read_images("images", given, SIZE)


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        read_images("images", tmp_path / "none", SIZE)


def test_synthetic_images():
    images = synthetic_images(SIZE)
    assert images.shape == (16, *SIZE, 3)
    assert len(np.unique(images.reshape(16, -1), axis=0)) == 16
