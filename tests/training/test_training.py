"""Losses and optimizers in `model.compile`, `model.fit` and saved models."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_osnet
from keras_osnet.losses import (
    BatchHardTripletLoss,
    EntropyMaximization,
    LabelSmoothingSparseCrossentropy,
    MutualLearningLoss,
    WeightedBinaryCrossentropy,
)
from keras_osnet.optimizers import (
    AMSGrad,
    CoupledSGD,
)

pytestmark = pytest.mark.backends

JIT = keras.backend.backend() != "torch"


@pytest.mark.large
def test_osnet_learns_identities_and_distances_at_once():
    """Table 12f's way: cross-entropy on the predictions, 0.5 × triplet loss on the embedding."""
    model = keras_osnet.OSNet(
        0.25,
        input_shape=(32, 32, 3),
        stem="cifar",
        depths=(1, 1, 1),
        streams=1,
        fusion="addition",  # and small: compiling is what this test takes its time for
        classes=4,
        outputs=["embedding", "predictions"],
    )
    model.compile(
        AMSGrad(0.003),
        loss={
            "embedding": BatchHardTripletLoss(0.3),
            "predictions": LabelSmoothingSparseCrossentropy(0.1),
        },
        loss_weights={"embedding": 0.5, "predictions": 1.0},
        metrics={"predictions": "accuracy"},
    )
    rng = np.random.default_rng(0)
    identities = np.repeat(np.arange(4), 4)
    looks = rng.standard_normal((4, 1, 1, 3))
    images = (looks[identities] + 0.1 * rng.standard_normal((16, 32, 32, 3))).astype("float32")
    labels = {"embedding": identities, "predictions": identities}

    history = model.fit(images, labels, batch_size=16, epochs=5, verbose=0).history
    parts = 0.5 * np.array(history["embedding_loss"]) + np.array(history["predictions_loss"])
    np.testing.assert_allclose(history["loss"], parts, rtol=1e-4)
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.large
def test_losses_and_weights_of_a_saved_model_come_back(tmp_path):
    inputs = keras.Input((5,))
    outputs = {"a": keras.layers.Dense(3)(inputs), "b": keras.layers.Dense(4)(inputs)}
    model = keras.Model(inputs, outputs)
    model.compile(
        CoupledSGD(0.01),
        loss={"a": BatchHardTripletLoss(2.5), "b": EntropyMaximization(0.4, from_logits=True)},
        loss_weights={"a": 0.5, "b": 1.0},
    )
    labels = np.repeat(np.arange(4), 2)
    images, labels = np.random.default_rng(0).standard_normal((8, 5)), {"a": labels, "b": labels}
    model.fit(images, labels, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        again.evaluate(images, labels, verbose=0),
        model.evaluate(images, labels, verbose=0),
        rtol=1e-5,
    )


@pytest.fixture
def half_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.large
@pytest.mark.parametrize(
    "loss",
    [
        BatchHardTripletLoss(),
        LabelSmoothingSparseCrossentropy(from_logits=True),
        EntropyMaximization(0.3, from_logits=True),
        WeightedBinaryCrossentropy([0.1, 0.5, 0.9], from_logits=True),
        MutualLearningLoss(),
    ],
    ids=lambda loss: loss.name,
)
def test_every_loss_trains_compiled_and_in_half_precision(loss, half_precision):
    """Duplicates and lone samples are among the images; layers hand float16 to the loss."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.compile(CoupledSGD(0.01, momentum=0.9), loss=loss, jit_compile=JIT)
    assert model.compute_dtype == "float16"
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)

    images = np.random.default_rng(0).standard_normal((8, 5))
    images[1] = images[0]
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 2])
    if isinstance(loss, (WeightedBinaryCrossentropy, MutualLearningLoss)):
        labels = np.eye(3)[labels]
    before = model.get_weights()
    history = model.fit(images, labels, batch_size=8, epochs=10, verbose=0).history["loss"]
    assert np.isfinite(history).all()
    assert history[-1] < history[0]
    for was, now in zip(before, model.get_weights(), strict=True):
        assert np.isfinite(now).all()
        assert (was != now).any()


def test_an_odd_last_batch_is_an_ordinary_batch():
    """Of one sample: no triplet, and still a mean over one."""
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.compile(CoupledSGD(0.01), loss=BatchHardTripletLoss(), jit_compile=JIT)
    images = np.random.default_rng(0).standard_normal((5, 5))
    history = model.fit(images, np.zeros(5), batch_size=4, verbose=0).history["loss"]
    assert history == [0.0]
    assert ops.convert_to_numpy(ops.all(ops.isfinite(model.layers[-1].kernel)))


@pytest.mark.large
def test_a_compiled_model_loads_in_a_fresh_process(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(AMSGrad(), loss=BatchHardTripletLoss())
    model.fit(np.zeros((4, 3)), np.zeros(4), verbose=0)
    model.save(tmp_path / "model.keras")
    code = (
        "import sys, keras, keras_osnet.training\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "print(type(model.optimizer).__name__, type(model.loss).__name__)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.keras")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["AMSGrad", "BatchHardTripletLoss"]
