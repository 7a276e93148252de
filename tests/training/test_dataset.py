import keras
import numpy as np
import pytest

from keras_osnet import OSNet
from keras_osnet.data import ImageReadError, ReidDataset
from keras_osnet.data.batches import ImageBatches
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.data.transforms import (
    Normalize,
    PadAndCrop,
    RandomErasing,
    RandomFlip,
    RandomPatch,
    RandomWindow,
)
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.training.dataset import TrainingDataset, to_tf_dataset

SIZE = (64, 32)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_synthetic_people(folder, 6, cameras=2, views=4, image_size=SIZE)
    return ReidDataset("synthetic", train=tuple(read_folder(folder)))


STEPS = (RandomFlip(), RandomPatch(), Normalize(), RandomErasing())


@pytest.fixture
def make(people):
    def make(batch_size=16, steps=STEPS):
        paths = [image.path for image in people.train]
        return ImageBatches(
            paths, people.train_labels, image_size=SIZE, batch_size=batch_size, steps=steps, seed=1
        )

    return make


def same(batch, other):
    return all(
        np.array_equal(keras.ops.convert_to_numpy(first), keras.ops.convert_to_numpy(second))
        for first, second in zip(batch, other, strict=True)
    )


@pytest.mark.parametrize("batch_size", [16, (3, 4)])
@pytest.mark.parametrize("first_epoch", [0, 2])
def test_both_give_the_same_batches_epoch_after_epoch(make, batch_size, first_epoch):
    pytest.importorskip("tensorflow")
    batches = make(batch_size)
    number = 2 * len(batches) + 1
    expected = [
        batches.batch(first_epoch + epoch, index)
        for epoch in range(3)
        for index in range(len(batches))
    ][:number]
    dataset = TrainingDataset(make(batch_size), first_epoch)
    tensors = to_tf_dataset(make(batch_size), first_epoch).take(number)
    assert tensors.element_spec[0].shape == expected[0][0].shape
    for index, (batch, tensor) in enumerate(zip(expected, tensors, strict=True)):
        assert same(batch, tensor)
        assert same(batch, dataset[index])
    # In any order, too.
    for index in (number - 1, 0, 3, 1):
        assert same(dataset[index], expected[index])


@pytest.mark.backends
def test_fit_sees_the_batches_of_each_epoch_in_order(make):
    batches = make(steps=(RandomFlip(),))
    seen = []

    class Losses(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(float(logs["loss"]))

    def label(y, outputs):
        """Tells the batches apart; there is nothing to learn."""
        return keras.ops.cast(y, "float32") + 0 * keras.ops.sum(outputs)

    def losses(data, **arguments):
        """The means of the labels of the batches of an epoch so far."""
        seen.clear()
        pooling = keras.layers.GlobalAveragePooling2D()
        model = keras.Sequential([keras.Input((*SIZE, 3)), pooling, keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.0), label)
        arguments = {"verbose": 0, "shuffle": False, "callbacks": [Losses()], **arguments}
        model.fit(data, steps_per_epoch=len(batches), **arguments)
        return list(seen)

    def expected(epochs):
        return [
            np.mean([batches.batch(epoch, earlier)[1] for earlier in range(index + 1)])
            for epoch in epochs
            for index in range(len(batches))
        ]

    np.testing.assert_allclose(losses(TrainingDataset(batches), epochs=3), expected(range(3)), 1e-5)
    resumed = losses(TrainingDataset(batches, first_epoch=2), initial_epoch=2, epochs=4)
    np.testing.assert_allclose(resumed, expected([2, 3]), 1e-5)
    if keras.backend.backend() == "tensorflow":
        from_tensors = losses(to_tf_dataset(batches), epochs=3)
        np.testing.assert_allclose(from_tensors, expected(range(3)), 1e-5)


def test_an_array_and_windows_of_it():
    pytest.importorskip("tensorflow")
    images = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    batches = ImageBatches(
        images, np.arange(12), batch_size=4, steps=(PadAndCrop(), RandomWindow((28, 24)))
    )
    tensors = to_tf_dataset(batches).take(3)
    assert tensors.element_spec[0].shape == (4, 28, 24, 3)
    dataset = TrainingDataset(batches)
    for index, tensor in enumerate(tensors):
        assert same(batches.batch(0, index), tensor)
        assert same(dataset[index], tensor)


def test_fit_does_not_wait_at_its_end(make):
    pytest.importorskip("tensorflow")
    assert to_tf_dataset(make()).options().autotune.enabled is False


def test_outputs_that_learn_the_same_labels(make):
    pytest.importorskip("tensorflow")
    batches = make(steps=())
    images, labels = batches.batch(1, 0)
    names = ["embedding", "logits"]
    [tensors] = to_tf_dataset(batches, 1, outputs=names).take(1)
    for batch in (TrainingDataset(batches, 1, outputs=names)[0], tensors):
        assert list(batch[1]) == names
        for name in names:
            assert same((images, labels), (batch[0], batch[1][name]))


@pytest.mark.parametrize("outputs", ["logits", [], [0]])
def test_outputs_that_are_no_names(make, outputs):
    pattern = r"`outputs` must be a list of names.*Received: "
    with pytest.raises(ValueError, match=pattern):
        TrainingDataset(make(), outputs=outputs)
    pytest.importorskip("tensorflow")
    with pytest.raises(ValueError, match=pattern):
        to_tf_dataset(make(), outputs=outputs)


def test_a_broken_file_is_named(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not an image")
    batches = ImageBatches([broken] * 4, [0] * 4, image_size=SIZE, batch_size=2)
    with pytest.raises(ImageReadError, match=r"broken\.jpg"):
        TrainingDataset(batches)[0]


@pytest.mark.exhaustive
def test_osnet_learns_from_it(make):
    keras.utils.set_random_seed(0)
    batches = make((6, 4), steps=(RandomFlip(), Normalize()))
    model = OSNet(0.25, input_shape=(*SIZE, 3), classes=6)
    model.compile(
        keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    history = model.fit(
        TrainingDataset(batches),
        steps_per_epoch=len(batches),
        epochs=15,
        shuffle=False,
        verbose=0,
    ).history
    assert np.mean(history["accuracy"][:2]) < 0.5
    assert np.mean(history["accuracy"][-3:]) > 0.85
