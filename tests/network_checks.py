"""Checks that every OSNet must pass, on one model: the base of the tests over all networks."""

import json

import keras
import numpy as np

import keras_osnet
from keras_osnet.architecture import OSNetModel
from keras_osnet.deploy import fold_batch_norm
from keras_osnet.weights import load_torchreid, to_torchreid

IMAGES = np.random.default_rng(0).uniform(-2, 2, (4, 32, 32, 3)).astype("float32")
LABELS = np.array([0, 1, 2, 3])


def check_network(arguments, tmp_path, *, run_eagerly):
    """Build a classifier of 4 classes, train it a step, copy it in every way, save and fold it.

    Args:
        arguments: Those of `keras_osnet.OSNet`, of a network that takes 32×32 images.
        tmp_path: Folder for the saved model.
        run_eagerly: Whether the training step is compiled, which takes most of the time.
    """
    model = keras_osnet.OSNet(**arguments, classes=4)
    assert outputs(model).shape == (4, 4)
    given = {name: list(v) if isinstance(v, tuple) else v for name, v in arguments.items()}
    assert {name: model.get_config()[name] for name in given} == given

    check_training_step(model, run_eagerly=run_eagerly)
    expected = outputs(model)
    check_copies(model, expected)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        outputs(keras.saving.load_model(tmp_path / "model.keras")), expected
    )
    give_statistics(model)
    folded = fold_batch_norm(model)
    assert relative_difference(folded, model) < 1e-5
    check_stock_only(folded)


def check_training_step(model, *, run_eagerly):
    """Check that a step of SGD changes the variables, and that the loss is finite."""
    model.compile(
        keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy", run_eagerly=run_eagerly
    )
    before = model.get_weights()
    assert np.isfinite(model.train_on_batch(IMAGES, LABELS))
    changed = [
        not np.array_equal(new, old) for new, old in zip(model.get_weights(), before, strict=True)
    ]
    assert np.mean(changed) > 0.9  # single dead units of a gate may stay


def check_copies(model, expected):
    """Check that a model rebuilt from its configuration loads its weights in every way."""
    config = json.loads(json.dumps(model.get_config()))
    rebuilt = OSNetModel.from_config(config)
    assert rebuilt.get_config() == model.get_config()
    load_torchreid(rebuilt, to_torchreid(model))
    for new, old in zip(rebuilt.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)
    np.testing.assert_array_equal(outputs(rebuilt), expected)


def check_stock_only(folded):
    """Check that a folded model has only Keras's layers, no batch norm but a neck, plain names."""
    for layer in folded.layers:
        assert type(layer).__module__.partition(".")[0] == "keras", layer
        if layer.name != "neck":
            assert not isinstance(layer, keras.layers.BatchNormalization), layer
        assert "." not in layer.name
        assert "/" not in layer.name


def give_statistics(model):
    """Give every variable values that an identity would not hide, as a training does."""
    rng = np.random.default_rng(0)
    for variable in model.variables:
        name = variable.path.rpartition("/")[2]
        if name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif name in ("beta", "moving_mean", "bias", "gate_logits"):
            variable.assign(rng.normal(0, 0.1, variable.shape))
    return model


def outputs(model, images=IMAGES):
    """Run a model in inference, and return its outputs as arrays."""
    images = images.astype(model.inputs[0].dtype)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, model(images, training=False))


def relative_difference(model, reference, images=IMAGES):
    """Return the largest difference between two models' outputs over the largest of the second."""
    expected, got = outputs(reference, images), outputs(model, images)
    assert got.dtype == expected.dtype
    return np.abs(got - expected).max() / np.abs(expected).max()
