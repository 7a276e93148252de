import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from keras_osnet.data import ImageReadError, ReidDataset, read_image
from keras_osnet.data.batches import ImageBatches
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.data.load_images import load_images
from keras_osnet.data.sampling import identity_batches, shuffled_indices
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
from keras_osnet.synthetic import (
    write_synthetic_people,
)

SIZE = (32, 16)
EVERYTHING = (
    RandomFlip(),
    RandomCrop(),
    RandomPatch(),
    ColorJitter(),
    Normalize(),
    RandomErasing(),
)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_synthetic_people(folder, 5, cameras=2, views=3, image_size=(64, 32))
    return ReidDataset("synthetic", train=tuple(read_folder(folder)))


@pytest.fixture
def make(people):
    def make(**changes):
        arguments = {"image_size": SIZE, "batch_size": 8, "steps": EVERYTHING, "seed": 2, **changes}
        paths = [image.path for image in people.train]
        return ImageBatches(paths, people.train_labels, **arguments)

    return make


def test_batches_are_the_images_in_the_order_of_the_epoch(make, people):
    batches = make(steps=())
    assert len(batches) == 3  # 30 images
    order = shuffled_indices(30, seed=2, epoch=1)
    for index in range(3):
        images, labels = batches.batch(epoch=1, index=index)
        chosen = order[index * 8 : index * 8 + 8]
        assert images.dtype == np.uint8
        for image, place in zip(images, chosen, strict=True):
            np.testing.assert_array_equal(image, read_image(people.train[place].path, SIZE))
        np.testing.assert_array_equal(labels, people.train_labels[chosen])


def test_augmentation_is_the_steps_in_order_by_seed_epoch_and_place(make, people):
    images, _ = make().batch(epoch=4, index=2)
    order = shuffled_indices(30, seed=2, epoch=4)

    def draw(rng):
        return read_image(people.train[rng.integers(30)].path, SIZE)

    for column in range(8):
        place = 2 * 8 + column
        rng = np.random.default_rng([2, 4, place])
        expected = read_image(people.train[order[place]].path, SIZE)
        for step in EVERYTHING:
            arguments = (draw,) if isinstance(step, RandomPatch) else ()
            expected = step(expected, rng, *arguments)
        np.testing.assert_array_equal(images[column], expected)
    assert images.dtype == np.float32


@pytest.mark.parametrize("batch_size", [8, (2, 4)])
def test_a_batch_does_not_depend_on_what_was_asked_for_before_or_on_memory(make, batch_size):
    one, other = make(batch_size=batch_size), make(batch_size=batch_size, in_memory=True)
    wanted = [(epoch, index) for epoch in range(3) for index in range(len(one))]
    forward = {key: one.batch(*key) for key in wanted}
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda key: other.batch(*key), wanted[::-1]))
        backward = dict(zip(wanted[::-1], batches, strict=True))
    for key in wanted:
        for first, second in zip(forward[key], backward[key], strict=True):
            np.testing.assert_array_equal(first, second)
    assert len({images.tobytes() for images, _ in forward.values()}) == len(wanted)
    seeds = [make(batch_size=batch_size, seed=seed).batch(0, 0)[0] for seed in (2, 3)]
    np.testing.assert_array_equal(seeds[0], forward[0, 0][0])
    assert (seeds[0] != seeds[1]).any()


def test_identity_batches(make, people):
    batches = make(batch_size=(2, 3), steps=())
    expected = identity_batches(people.train_labels, 2, 3, seed=2, epoch=0)
    np.testing.assert_array_equal(batches.order(0), expected)
    assert len(batches) == len(expected) == 5
    for index in range(5):
        _, labels = batches.batch(0, index)
        assert sorted(Counter(labels.tolist()).values()) == [3, 3]


def test_workers_read_parts_of_the_same_batches(make):
    whole = make(batch_size=(4, 2)).batch(1, 0)
    parts = [make(batch_size=(4, 2), worker=(index, 2)).batch(1, 0) for index in range(2)]
    for column in range(2):
        np.testing.assert_array_equal(np.concatenate([p[column] for p in parts]), whole[column])


def test_in_memory_reads_every_file_once(make, monkeypatch):
    read = Counter()

    def count(path, size):
        read[path] += 1
        return read_image(path, size)

    monkeypatch.setattr(sys.modules["keras_osnet.data.load_images"], "read_image", count)
    batches = make(batch_size=30, steps=(RandomFlip(),), in_memory=True)
    first = batches.batch(0, 0)[0].copy()
    batches.batch(1, 0)
    assert set(read.values()) == {1}
    np.testing.assert_array_equal(batches.batch(0, 0)[0], first)


def test_labels_may_be_rows_of_attributes(people):
    rows = np.random.default_rng(0).integers(0, 2, (30, 4), dtype=np.uint8)
    paths = [image.path for image in people.train]
    batches = ImageBatches(paths, rows, image_size=SIZE, batch_size=30)
    np.testing.assert_array_equal(
        batches.batch(0, 0)[1], rows[shuffled_indices(30, seed=0, epoch=0)]
    )


@pytest.fixture(scope="module")
def pixels(people):
    """The images as an array, larger than `SIZE`."""
    return load_images([image.path for image in people.train], (48, 20)).images


@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize("size", [SIZE, (60, 40), (48, 20), None])
def test_images_from_an_array(pixels, people, tmp_path, size, in_memory):
    paths = [tmp_path / f"{number}.png" for number in range(len(pixels))]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    before = pixels.copy()
    arguments = {"batch_size": 8, "steps": EVERYTHING, "seed": 2}
    ours = ImageBatches(
        pixels, people.train_labels, image_size=size, in_memory=in_memory, **arguments
    )
    theirs = ImageBatches(paths, people.train_labels, image_size=size or (48, 20), **arguments)
    assert ours.image_size == theirs.image_size
    for epoch, index in ((1, 2), (0, 0), (1, 2)):
        for one, other in zip(ours.batch(epoch, index), theirs.batch(epoch, index), strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(pixels, before)


def test_an_array_is_neither_copied_nor_written_to(pixels, people):
    def blacken(image, rng):
        image[:] = 0
        return image

    batches = ImageBatches(
        pixels, people.train_labels, batch_size=2, steps=[blacken], in_memory=True
    )
    assert np.shares_memory(batches.images, pixels)
    with pytest.raises(ValueError, match=r"read-only"):
        batches.batch(0, 0)
    assert pixels.flags.writeable
    assert pixels.any()


def test_an_array_at_its_own_size_needs_no_pillow(pixels, people, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    steps = (PadAndCrop(), Normalize())
    batches = ImageBatches(pixels, people.train_labels, batch_size=4, steps=steps)
    assert batches.batch(0, 0)[0].shape == (4, 48, 20, 3)
    batches = ImageBatches(pixels, people.train_labels, image_size=SIZE, batch_size=4)
    with pytest.raises(ImportError, match=r"needs Pillow"):
        batches.batch(0, 0)


def test_a_batch_has_the_size_that_the_last_step_returns(make):
    for step in (RandomWindow((20, 12)), CenterCrop((20, 12))):
        batches = make(steps=(RandomFlip(), step, Normalize()))
        images, _ = batches.batch(0, 0)
        assert images.shape == (8, 20, 12, 3)
        assert batches.image_size == SIZE
        np.testing.assert_array_equal(images, make(steps=batches.steps).batch(0, 0)[0])


def test_steps_that_return_what_makes_no_batch(make):
    def ragged(image, rng):
        return image[: rng.integers(1, 30)]

    with pytest.raises(ValueError, match=r"`steps` must return .* one shape. Received: \[\("):
        make(steps=[ragged]).batch(0, 0)
    with pytest.raises(ValueError, match=r"`size` must not .* 33 x 16 for an image of 32 x 16"):
        make(steps=[RandomWindow((33, 16))]).batch(0, 0)
    with pytest.raises(ValueError, match=r"`draw_image` .* after this step. Received: \(32, 16"):
        make(steps=[RandomWindow((16, 8)), RandomPatch(1)]).batch(0, 0)


def test_paths_of_every_kind(people):
    paths = [image.path for image in people.train[:4]]
    labels = people.train_labels[:4]
    expected = ImageBatches(paths, labels, image_size=SIZE, batch_size=4).batch(0, 0)[0]
    texts = [str(path) for path in paths]
    for same in (tuple(texts), np.array(texts), np.array(paths, object)):
        batches = ImageBatches(same, labels, image_size=SIZE, batch_size=4)
        assert batches.images == tuple(paths)
        np.testing.assert_array_equal(batches.batch(0, 0)[0], expected)


@pytest.mark.parametrize(
    ("images", "received"),
    [
        (np.zeros((2, 4, 4, 3)), r"float64 of shape \(2, 4, 4, 3\)"),
        (np.zeros((2, 4, 4), np.uint8), r"uint8 of shape \(2, 4, 4\)"),
        (np.zeros((2, 3, 4, 4), np.uint8), r"uint8 of shape \(2, 3, 4, 4\)"),
        (np.arange(2), r"int64 of shape \(2,\)"),
        ([np.zeros((4, 4, 3), np.uint8)] * 2, r"\[array"),
        ("ab", r"'ab'"),
        (b"ab", r"b'ab'"),
        (7, r"7"),
        ([1, 2], r"\[1, 2\]"),
    ],
)
def test_images_that_are_neither_paths_nor_pixels(images, received):
    with pytest.raises(ValueError, match=rf"`images` must be paths, or pixels.* {received}"):
        ImageBatches(images, [0, 1], image_size=(4, 4), batch_size=1)


def test_a_broken_file_is_named(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not an image")
    batches = ImageBatches([broken], [0], image_size=SIZE, batch_size=1)
    with pytest.raises(ImageReadError, match=r"broken\.jpg"):
        batches.batch(0, 0)


def test_errors(make):
    with pytest.raises(ValueError, match=r"`image_size` must be .* Received: 3"):
        make(image_size=3)
    with pytest.raises(ValueError, match=r"`image_size` must be .* are files. Received: None"):
        make(image_size=None)
    with pytest.raises(ValueError, match=r"`image_size` must be .* positive.* Received: \(0, 4\)"):
        ImageBatches(np.zeros((2, 0, 4, 3), np.uint8), [0, 1], batch_size=1)
    with pytest.raises(ValueError, match=r"`batch_size` must not be above .* 31 with 30 images"):
        make(batch_size=31)
    with pytest.raises(ValueError, match=r"`batch_size` must be a whole .* 1. Received: 0"):
        make(batch_size=0)
    with pytest.raises(ValueError, match=r"at least 6 people"):
        make(batch_size=(6, 1))
    with pytest.raises(ValueError, match=r"8 images for 3 workers"):
        make(worker=(0, 3))
    with pytest.raises(ValueError, match=r"`seed` must be .* Received: -1"):
        make(seed=-1)
    with pytest.raises(ValueError, match=r"`labels` must be one for each .* shape \(2,\)"):
        ImageBatches(["a.jpg"], [0, 1], image_size=SIZE, batch_size=1)
    with pytest.raises(IndexError, match=r"`index` must be 0 to 2. Received: 3"):
        make().batch(0, 3)
    with pytest.raises(ValueError, match=r"`epoch` must be .* Received: -1"):
        make().batch(-1, 0)
