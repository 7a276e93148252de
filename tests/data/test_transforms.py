import math
import random

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.architecture.preprocessing import preprocess_input
from keras_osnet.data.transforms import (
    CenterCrop,
    ColorJitter,
    Normalize,
    PadAndCrop,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomPatch,
    RandomWindow,
)

DRAWS = 2000


def generators(count=DRAWS):
    return (np.random.default_rng([7, 0, index]) for index in range(count))


@pytest.fixture(scope="module")
def image():
    """Smooth and colored, as images are, with no two pixels alike."""
    rows, columns = np.mgrid[:48, :24]
    noise = np.random.default_rng(0).integers(0, 20, (48, 24, 3))
    base = np.stack([rows * 4, columns * 8, (rows + columns) * 3], axis=-1)
    return (base + noise).clip(0, 255).astype(np.uint8)


def pasted(rng, image):
    return RandomPatch()(image, rng, lambda rng: image)


STEPS = [
    RandomFlip(),
    RandomCrop(),
    ColorJitter(),
    Normalize(),
    RandomErasing(),
    PadAndCrop(),
    RandomWindow((40, 24)),
    CenterCrop((41, 7)),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_steps_are_functions_of_image_and_generator(step, image):
    before = image.copy()
    seen = set()
    for first, second in zip(generators(30), generators(30), strict=True):
        once, again = step(image, first), step(image, second)
        np.testing.assert_array_equal(once, again)
        assert once.shape == (*getattr(step, "size", image.shape[:2]), 3)
        seen.add(once.tobytes())
    np.testing.assert_array_equal(image, before)
    assert len(seen) > 1 or isinstance(step, Normalize | CenterCrop)


def test_flip_half_of_the_time(image):
    mirrored = 0
    for rng in generators():
        flipped = RandomFlip()(image, rng)
        if not np.array_equal(flipped, image):
            np.testing.assert_array_equal(flipped, image[:, ::-1])
            mirrored += 1
    assert mirrored / DRAWS == pytest.approx(0.5, abs=0.04)


def test_crop_is_a_window_of_the_enlarged_image(image):
    enlarged = np.asarray(Image.fromarray(image).resize((27, 54), Image.BILINEAR))
    windows = {
        enlarged[top : top + 48, left : left + 24].tobytes(): (top, left)
        for top in range(7)
        for left in range(4)
    }
    places = []
    for rng in generators():
        cropped = RandomCrop()(image, rng)
        if not np.array_equal(cropped, image):
            places.append(windows[cropped.tobytes()])
    assert len(places) / DRAWS == pytest.approx(0.5, abs=0.04)
    tops = np.bincount([top for top, _ in places], minlength=7) / len(places)
    np.testing.assert_allclose(tops, np.array([1, 2, 2, 2, 2, 2, 1]) / 12, atol=0.04)


def places_of_windows(image, size):
    """For each window of an image, its place."""
    height, width = size
    return {
        image[top : top + height, left : left + width].tobytes(): (top, left)
        for top in range(image.shape[0] - height + 1)
        for left in range(image.shape[1] - width + 1)
    }


def assert_uniform(places, rows, columns):
    """All places come equally often, as far as 2,000 draws can tell."""
    counts = np.zeros((rows, columns))
    for place in places:
        counts[place] += 1
    expected = len(places) / counts.size
    # Chi-squared: 5 standard deviations above what chance leaves.
    degrees = counts.size - 1
    assert ((counts - expected) ** 2 / expected).sum() <= degrees + 5 * math.sqrt(2 * degrees)


@pytest.mark.parametrize("size", [(42, 20), [48, 20], (42, 24), (48, 24)])
def test_windows_are_pieces_of_the_image_from_everywhere(image, size):
    places = places_of_windows(image, size)
    draws = [places[RandomWindow(size)(image, rng).tobytes()] for rng in generators()]
    assert_uniform(draws, 49 - size[0], 25 - size[1])


def test_windows_of_normalized_images(image):
    values = Normalize()(image)
    rng, same = np.random.default_rng(5), np.random.default_rng(5)
    step = RandomWindow((30, 15))
    np.testing.assert_array_equal(step(values, rng), Normalize()(step(image, same)))


@pytest.mark.parametrize("size", [(48, 24), (47, 23), (46, 22), (45, 21), (44, 19), (1, 1)])
@pytest.mark.parametrize("shape", [(48, 24), (45, 24), (48, 27), (49, 49)])
def test_center_crop_is_torchvisions(size, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    if size[0] > shape[0]:
        size = (shape[0], size[1])
    # torchvision.transforms.functional.center_crop, line by line.
    crop_height, crop_width = size
    image_height, image_width = shape
    crop_top = int(round((image_height - crop_height) / 2.0))  # noqa: RUF046
    crop_left = int(round((image_width - crop_width) / 2.0))  # noqa: RUF046
    expected = image[crop_top : crop_top + crop_height, crop_left : crop_left + crop_width]
    np.testing.assert_array_equal(CenterCrop(size)(image), expected)
    np.testing.assert_array_equal(CenterCrop(size)(image, np.random.default_rng(0)), expected)


def test_center_crop_rounds_halves_to_even():
    # Margins of 1, 3, 5 and 7: 0.5 becomes 0, 1.5 becomes 2, 2.5 becomes 2, 3.5 becomes 4.
    for margin, left in ((1, 0), (3, 2), (5, 2), (7, 4)):
        row = np.arange(10 + margin, dtype=np.uint8).reshape(1, -1, 1).repeat(3, axis=2)
        assert CenterCrop((1, 10))(row)[0, 0, 0] == left


@pytest.mark.parametrize("padding", [4, 1])
def test_pad_and_crop_mirrors_as_torch_pads(image, padding):
    torch = pytest.importorskip("torch")
    planes = torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32))[None]
    padded = torch.nn.functional.pad(planes, (padding,) * 4, mode="reflect")[0]
    padded = padded.numpy().transpose(1, 2, 0).astype(np.uint8)
    assert padded.shape == (48 + 2 * padding, 24 + 2 * padding, 3)
    places = places_of_windows(padded, (48, 24))
    draws = [places[PadAndCrop(padding)(image, rng).tobytes()] for rng in generators()]
    assert_uniform(draws, 2 * padding + 1, 2 * padding + 1)


def test_pad_and_crop_without_padding(image):
    np.testing.assert_array_equal(PadAndCrop(0)(image, np.random.default_rng(0)), image)


def test_windows_and_margins_that_do_not_fit(image):
    rng = np.random.default_rng(0)
    for step in (RandomWindow, CenterCrop):
        for size in ((49, 24), (48, 25), (64, 64)):
            received = rf"Received: {size[0]} x {size[1]} for an image of 48 x 24"
            with pytest.raises(ValueError, match=rf"`size` must not be above .* {received}"):
                step(size)(image, rng)
        for size in (224, (224,), (0, 4), (4, -1), (4.0, 4), (True, 4), "ab"):
            with pytest.raises(ValueError, match=r"`size` must be \(height, width\).* Received: "):
                step(size)
    for padding in (24, 48, 100):
        with pytest.raises(ValueError, match=rf"`padding` must .* {padding} for an .* 48 x 24"):
            PadAndCrop(padding)(image, rng)
    assert PadAndCrop(23)(image, rng).shape == image.shape
    for padding in (-1, 1.5, "4", None, True):
        with pytest.raises(ValueError, match=r"`padding` must be a whole .* 0. Received: "):
            PadAndCrop(padding)


def reference_rectangle(source, height, width, area, aspect):
    """Rows and columns as torchreid draws them, with Python's generator."""
    for _ in range(100):
        target = source.uniform(*area) * height * width
        ratio = source.uniform(aspect, 1 / aspect)
        rows, columns = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
        if columns < width and rows < height:
            return rows, columns
    return None


def test_erased_rectangles_are_distributed_as_the_references(image):
    source = random.Random(0)
    theirs = [reference_rectangle(source, 48, 24, (0.02, 0.4), 0.3) for _ in range(DRAWS)]
    gray = np.zeros((48, 24, 3), np.float32)
    ours, tops = [], []
    for rng in generators():
        erased = RandomErasing()(gray, rng)
        changed = (erased != 0).all(axis=2)
        if changed.any():
            rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
            assert changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            np.testing.assert_array_equal(erased[rows[0], columns[0]], np.float32(MEAN))
            ours.append((len(rows), len(columns)))
            tops.append(rows[0] / (48 - len(rows)))
    assert len(ours) / DRAWS == pytest.approx(0.5, abs=0.04)
    np.testing.assert_allclose(np.mean(ours, 0), np.mean(theirs, 0), rtol=0.06)
    np.testing.assert_allclose(np.std(ours, 0), np.std(theirs, 0), rtol=0.1)
    assert min(tops) == 0
    assert max(tops) == 1
    assert np.mean(tops) == pytest.approx(0.5, abs=0.05)
    # The nearest pixel, where the model normalizes: the same rectangle, half a level off at most.
    for index in range(20):
        pixels = RandomErasing(1)(np.zeros_like(image), np.random.default_rng(index))
        values = RandomErasing(1)(gray, np.random.default_rng(index))
        np.testing.assert_array_equal(pixels != 0, values != 0)
        filled = (pixels / 255 - MEAN) / STD
        assert np.abs(filled - values)[pixels != 0].max() < 0.5 / 255 / min(STD)


def test_normalize_is_the_models_preprocessing(image):
    np.testing.assert_array_equal(
        Normalize()(image, np.random.default_rng(0)), preprocess_input(image)
    )


@pytest.mark.parametrize("factor", [0.8, 0.85, 0.93, 1.0, 1.07, 1.15, 1.2])
def test_brightness_and_contrast_are_pillows(image, factor):
    class Fixed:
        """Draws one factor for brightness and none for contrast, or the other way round."""

        def __init__(self, *factors):
            self.factors = list(factors)

        def uniform(self, low, high):
            return self.factors.pop(0)

        def random(self):
            return 0.0

    pil_image = Image.fromarray(image)
    for enhancer, factors in (
        (ImageEnhance.Brightness, (factor, 1.0)),
        (ImageEnhance.Contrast, (1.0, factor)),
    ):
        expected = np.asarray(enhancer(pil_image).enhance(factor))
        np.testing.assert_array_equal(ColorJitter()(image, Fixed(*factors)), expected)


def test_jitter_is_torchreids_in_either_order(image):
    pil_image = Image.fromarray(image)
    orders = np.zeros(2, int)
    factors = []
    for rng, same in zip(generators(200), generators(200), strict=True):
        jittered = ColorJitter()(image, rng)
        brightness, contrast = same.uniform(0.8, 1.2), same.uniform(0.85, 1.15)
        factors.append((brightness, contrast))
        light_first = ImageEnhance.Contrast(ImageEnhance.Brightness(pil_image).enhance(brightness))
        light_last = ImageEnhance.Brightness(ImageEnhance.Contrast(pil_image).enhance(contrast))
        results = [light_first.enhance(contrast), light_last.enhance(brightness)]
        matches = [np.array_equal(jittered, np.asarray(result)) for result in results]
        assert any(matches)
        orders += matches
    assert orders.min() > 60


def test_patches_are_pieces_of_the_other_image(image):
    blank = np.zeros_like(image)
    mirrored = upright = rotated = untouched = 0
    for rng in generators(600):
        result = RandomPatch()(blank, rng, lambda rng: image)
        changed = result.any(axis=2)
        if not changed.any():
            untouched += 1
            continue
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        piece = result[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert piece.shape[0] < 48
        assert piece.shape[1] < 24
        if contains(image, piece):
            upright += 1
        elif contains(image, piece[:, ::-1]):
            mirrored += 1
        else:
            rotated += 1
    assert untouched / 600 == pytest.approx(0.5, abs=0.08)
    # Half rotated; small patches by few degrees look the same afterwards.
    assert 0.3 < rotated / (600 - untouched) < 0.55
    assert upright / (upright + mirrored) == pytest.approx(0.5, abs=0.1)


def contains(image, piece):
    height, width = piece.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(image, piece.shape)[:, :, 0]
    return bool((windows == piece).reshape(-1, height * width * 3).all(axis=1).any())


def test_patch_areas_are_distributed_as_the_references(image):
    source = random.Random(0)
    theirs = [reference_rectangle(source, 48, 24, (0.01, 0.5), 0.1) for _ in range(DRAWS)]
    areas = []
    for rng in generators():
        # Unrotated: a white patch keeps its corners.
        white = np.full_like(image, 255)
        result = RandomPatch(1)(np.zeros_like(image), rng, lambda rng, white=white: white)
        areas.append((result.any(axis=2)).sum())
    expected = np.mean([rows * columns for rows, columns in theirs])
    assert np.mean(areas) == pytest.approx(expected, rel=0.06)  # rotation blackens some corners


def test_patch_draws_a_image_only_when_it_needs_one(image):
    def fail(rng):
        raise AssertionError("a file would be read for nothing")

    assert RandomPatch(probability=0)(image, np.random.default_rng(0), fail) is image


def test_patch_is_a_function_of_the_generator(image):
    for first, second in zip(generators(30), generators(30), strict=True):
        np.testing.assert_array_equal(pasted(first, image), pasted(second, image))


def test_images_too_small_for_a_rectangle_stay_as_they_are():
    image = np.zeros((1, 1, 3), np.uint8)
    rng = np.random.default_rng(0)
    assert RandomErasing(1)(image, rng) is image
    assert RandomPatch(1)(image, rng, lambda rng: image) is image


def test_errors(image):
    rng = np.random.default_rng(0)
    for step in (RandomFlip, RandomCrop, RandomErasing, RandomPatch):
        with pytest.raises(ValueError, match=r"`probability` must be .* Received: 1.5"):
            step(probability=1.5)
    for step in (RandomErasing, RandomPatch):
        with pytest.raises(ValueError, match=r"`min_area` and .* Received: 0.6 and 0.1"):
            step(min_area=0.6, max_area=0.1)
        with pytest.raises(ValueError, match=r"`min_aspect` must be above 0.* Received: 0"):
            step(min_aspect=0)
    with pytest.raises(ValueError, match=r"`contrast` must be a number from 0 to 1. Received: 2"):
        ColorJitter(contrast=2)
    floats = image.astype(np.float32)
    for step in (RandomCrop(), ColorJitter(), Normalize()):
        with pytest.raises(ValueError, match=r"must be pixels.* Received: float32 of shape"):
            step(floats, rng)
    with pytest.raises(ValueError, match=r"must be pixels.* Received: float32 of shape"):
        RandomPatch()(floats, rng, lambda rng: floats)
    with pytest.raises(ValueError, match=r"must be uint8 or float32. Received: float64"):
        RandomErasing()(image.astype(float), rng)
