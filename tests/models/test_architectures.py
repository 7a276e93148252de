"""Every named architecture: a training step, copies, saving, folding, mixed precision."""

import keras
import numpy as np
import pytest
from network_checks import LABELS, check_network

import keras_osnet

ARCHITECTURES = keras_osnet.list_models()
EXTRA = {
    # What the paper names beside Table 5, mixed with each other.
    "ibn_3_8_6": {"variant": "ibn", "depths": (3, 8, 6)},
    "ain_full_convolutions": {"variant": "ain", "convolution": "full"},
    "max_pooling_no_fc": {"pooling": "max", "feature_dim": None},
    "t5_separate": {"streams": 5, "fusion": "separate"},
    "cifar_width_1_5": {"width": 1.5, "stem": "cifar", "depths": (1, 1, 1)},
}
QUICK = ["osnet_x0_25", "osnet_ain_x0_25", "osnet_x1_0_concatenation"]


def small(name):
    """The arguments of the same architecture at width 0.25 and for images of any size."""
    arguments = {k: v for k, v in (ARCHITECTURES | EXTRA)[name].items() if k != "input_shape"}
    width = 1.5 if arguments.get("width") == 1.5 else 0.25
    return {**arguments, "width": width, "input_shape": (None, None, 3)}


def large_but(quick):
    """All names, those that are not in `quick` marked as large."""
    return [
        name if name in quick else pytest.param(name, marks=pytest.mark.large)
        for name in (*ARCHITECTURES, *EXTRA)
    ]


@pytest.mark.parametrize("name", large_but(QUICK))
def test_architecture(name, tmp_path):
    check_network(small(name), tmp_path, run_eagerly=True)


@pytest.mark.large
@pytest.mark.backends
@pytest.mark.parametrize("name", ["osnet_x0_25", "osnet_ain_x0_25"])
def test_compiled_training(name, tmp_path):
    check_network(small(name), tmp_path, run_eagerly=False)


@pytest.mark.exhaustive
@pytest.mark.backends
@pytest.mark.parametrize("name", [*ARCHITECTURES, *EXTRA])
def test_compiled_training_of_every_architecture(name, tmp_path):
    check_network(small(name), tmp_path, run_eagerly=False)


@pytest.mark.large
@pytest.mark.backends
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    try:
        model = keras_osnet.OSNet(0.25, variant="ibn", input_shape=(64, 32, 3), classes=4)
        model.compile("sgd", "sparse_categorical_crossentropy")
        images = np.random.default_rng(0).uniform(-2, 2, (4, 64, 32, 3)).astype("float32")
        assert np.isfinite(model.train_on_batch(images, LABELS))
        assert model.get_layer("conv5").compute_dtype == policy.removeprefix("mixed_")
        assert model.output.dtype == "float32"
        assert model.get_layer("embedding").output.dtype == "float32"
        model.save(tmp_path / "model.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        reloaded.predict(images, verbose=0), model.predict(images, verbose=0)
    )


@pytest.mark.large
@pytest.mark.backends
def test_one_model_takes_images_of_any_size():
    model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(None, None, 3))
    for height, width in ((256, 128), (320, 160), (161, 83)):
        images = np.zeros((1, height, width, 3), "float32")
        assert model.predict(images, verbose=0).shape == (1, 512)
        fixed = keras_osnet.OSNet(0.25, head="embedding", input_shape=(height, width, 3))
        fixed.set_weights(model.get_weights())
        np.testing.assert_allclose(
            fixed.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6
        )
