"""Images to calibrate with and to compare on."""

import numpy as np
import pytest
from PIL import Image

from keras_osnet.data import PersonImage, ReidDataset, read_image
from keras_osnet.deploy.images import comparison_images, count_shared, read_images, synthetic_images
from keras_osnet.synthetic import synthetic_people, write_synthetic_people

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


def shared(tmp_path, images, calibration=None):
    calibration = tmp_path / "calibration" if calibration is None else calibration
    calibrated = read_images("calibration", calibration, SIZE)
    return count_shared(calibration, calibrated, images, comparison_images(images, SIZE))


@pytest.fixture
def folders(tmp_path):
    """Two folders of four images each, with none in common."""
    people = synthetic_people(4, views=1, image_size=SIZE).images
    for index, image in enumerate(people):
        folder = tmp_path / ("calibration" if index < 4 else "test")
        folder.mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / f"{index}.png")
    return tmp_path / "calibration", tmp_path / "test"


def test_other_images_share_none(folders, tmp_path):
    assert shared(tmp_path, folders[1]) == 0


def test_calibration_images_are_refused_for_the_comparison(folders, tmp_path):
    calibration, _ = folders
    (tmp_path / "copy").mkdir()
    for file in calibration.iterdir():
        Image.open(file).save(tmp_path / "copy" / f"other-{file.stem}.bmp")
    (tmp_path / "link").symlink_to(calibration)
    people = [PersonImage(file, 1, 1) for file in sorted(calibration.iterdir())]
    for same in (
        calibration,
        tmp_path / "test" / ".." / "calibration",
        tmp_path / "link",
        tmp_path / "copy",
        sorted(calibration.iterdir())[:1],
        read_images("images", calibration, SIZE)[:2],
        ReidDataset("same", (), tuple(people[:1]), tuple(people[1:])),
    ):
        with pytest.raises(ValueError, match=r"`images` must be others.*all of which"):
            shared(tmp_path, same)
    with pytest.raises(ValueError, match="`images` must be others"):
        shared(tmp_path, calibration, read_images("images", calibration, SIZE))


def test_some_shared_images_are_warned_of(folders, tmp_path):
    calibration, test = folders
    (test / "linked.png").symlink_to(calibration / "0.png")
    with pytest.warns(UserWarning, match="1 of the 5 images"):
        assert shared(tmp_path, test) == 1
    both = ReidDataset(
        "both",
        (),
        tuple(PersonImage(file, 1, 1) for file in calibration.iterdir()),
        tuple(PersonImage(file, 1, 1) for file in test.iterdir() if file.is_file()),
    )
    with pytest.warns(UserWarning, match="5 of the 9 images"):
        shared(tmp_path, both)
