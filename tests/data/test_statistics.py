"""Mean and standard deviation of pixels, against plain numpy on all of them at once."""

import os
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from keras_osnet.data import ImageReadError, pixel_statistics, read_image
from keras_osnet.data.transforms import Normalize


@pytest.fixture(scope="module")
def pixels():
    """Images of three channels that differ, and dark and bright ones among them."""
    rng = np.random.default_rng(0)
    light = rng.uniform(0.2, 1, (150, 1, 1, 1))
    noise = rng.integers(0, 256, (150, 12, 8, 3)) * light * [1, 0.5, 0.25]
    return noise.astype(np.uint8)


@pytest.fixture(scope="module")
def paths(pixels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    files = [folder / f"{number:03d}.png" for number in range(len(pixels))]
    for path, image in zip(files, pixels, strict=True):
        Image.fromarray(image).save(path)
    return files


def assert_statistics_of(statistics, pixels):
    values = pixels.reshape(-1, 3).astype(np.float64) / 255
    np.testing.assert_allclose(statistics.mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(statistics.std, values.std(axis=0), rtol=1e-12)
    assert statistics.images == len(pixels)
    assert statistics.unreadable == {}


def test_of_an_array(pixels):
    assert_statistics_of(pixel_statistics(pixels), pixels)
    assert_statistics_of(pixel_statistics(pixels[:1]), pixels[:1])


def test_of_files(paths, pixels):
    assert_statistics_of(pixel_statistics(paths, (12, 8)), pixels)
    assert_statistics_of(pixel_statistics([str(path) for path in paths], (12, 8)), pixels)


@pytest.mark.parametrize("size", [(6, 4), (30, 20)])
def test_of_images_that_are_resized(paths, pixels, size):
    resized = np.stack([read_image(path, size) for path in paths])
    assert_statistics_of(pixel_statistics(paths, size), resized)
    assert pixel_statistics(pixels, size) == pixel_statistics(paths, size)


def test_every_image_counts_the_same_whatever_its_size(tmp_path):
    Image.new("RGB", (100, 100), (0, 0, 0)).save(tmp_path / "large.png")
    Image.new("RGB", (2, 3), (255, 51, 0)).save(tmp_path / "small.png")
    statistics = pixel_statistics([tmp_path / "large.png", tmp_path / "small.png"], (8, 4))
    assert statistics.mean == pytest.approx((0.5, 0.1, 0), abs=1e-15)
    assert statistics.std == pytest.approx((0.5, 0.1, 0), abs=1e-15)


def test_the_order_does_not_matter(pixels):
    statistics = pixel_statistics(pixels)
    for seed in range(3):
        shuffled = np.random.default_rng(seed).permutation(pixels)
        assert pixel_statistics(shuffled) == statistics


def test_flat_images_have_no_deviation():
    # Where sums of floats are subtracted, something is left, or the root is of a negative number.
    for level in (0, 1, 77, 254, 255):
        statistics = pixel_statistics(np.full((5, 7, 9, 3), level, np.uint8))
        assert statistics.std == (0, 0, 0)
        assert statistics.mean == pytest.approx([level / 255] * 3)


def test_it_is_what_normalizes_these_images(pixels):
    statistics = pixel_statistics(pixels)
    step = Normalize(statistics.mean, statistics.std)
    values = np.stack([step(image) for image in pixels]).reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-5)


def test_how_torchreids_tool_differs(pixels):
    torch = pytest.importorskip("torch")
    mean = std = torch.zeros(3)
    for start in range(0, 150, 50):  # as in tools/compute_mean_std.py, with batches of 50
        batch = torch.from_numpy(pixels[start : start + 50].transpose(0, 3, 1, 2).copy()) / 255
        data = batch.view(batch.size(0), batch.size(1), -1)
        mean = mean + data.mean(2).sum(0)
        std = std + data.std(2).sum(0)
    mean, std = mean.numpy() / 150, std.numpy() / 150
    statistics = pixel_statistics(pixels)
    np.testing.assert_allclose(statistics.mean, mean, rtol=1e-5)
    within = (pixels / 255).reshape(150, -1, 3).std(axis=1, ddof=1).mean(axis=0)
    np.testing.assert_allclose(std, within, rtol=1e-5)
    assert (np.array(statistics.std) > 1.02 * std).all()


def test_progress(paths):
    for count, expected in ((150, [64, 128, 150]), (64, [64]), (1, [1])):
        seen = []
        pixel_statistics(paths[:count], (4, 4), progress=seen.append)
        assert seen == expected


def test_images_are_not_held_in_memory(paths):
    few, many = paths[:64], paths * 10
    peaks = []
    for files in (few, many):
        tracemalloc.start()
        pixel_statistics(files, (200, 200))  # 120 kB each, 180 MB of all
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    workers = os.cpu_count()
    assert peaks[1] < peaks[0] + workers * 3_000_000


def test_unreadable_files_are_left_out_and_named(paths, pixels, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    files = [*paths[:70], broken, *paths[70:], tmp_path / "gone.png"]
    statistics = pixel_statistics(files, (12, 8))
    assert statistics.images == 150
    assert list(statistics.unreadable) == [broken, tmp_path / "gone.png"]
    assert all(statistics.unreadable.values())
    assert statistics.mean == pixel_statistics(paths, (12, 8)).mean
    assert statistics.std == pixel_statistics(paths, (12, 8)).std
    with pytest.raises(ImageReadError, match=r"Cannot read.*Received: .*broken\.jpg"):
        pixel_statistics([broken, broken], (12, 8))


def test_errors(paths):
    for nothing in ([], np.zeros((0, 4, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match=r"`images` must be at least one.* Received: none"):
            pixel_statistics(nothing, (4, 4))
    with pytest.raises(ValueError, match=r"`image_size` must be .* are files. Received: None"):
        pixel_statistics(paths)
    with pytest.raises(ValueError, match=r"`image_size` must be \(height, width\).* Received: 4"):
        pixel_statistics(paths, 4)
    with pytest.raises(ValueError, match=r"`images` must be paths.* Received: float64 of shape"):
        pixel_statistics(np.zeros((1, 4, 4, 3)))
    with pytest.raises(ValueError, match=r"`images` must be paths.* Received: 'folder'"):
        pixel_statistics("folder", (4, 4))
