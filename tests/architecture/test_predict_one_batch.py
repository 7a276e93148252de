"""`predict` of one batch, which is Keras's own on TensorFlow alone."""

import itertools

import keras
import numpy as np
import pytest

from keras_osnet.architecture import OSNetModel
from keras_osnet.architecture.predict_one_batch import MOST_RECORDINGS

pytestmark = pytest.mark.backends

BACKEND = keras.backend.backend()
SMALL = {
    "width": 0.25, "depths": (1, 1, 1), "streams": 2, "feature_dim": 8, "input_shape": (32, 16, 3),
}  # fmt: skip

on_torch = pytest.mark.skipif(BACKEND != "torch", reason="only calls of torch are recorded")
not_on_tensorflow = pytest.mark.skipif(
    BACKEND == "tensorflow", reason="on TensorFlow one batch is predicted by Keras's own function"
)


@pytest.fixture(scope="module")
def trained():
    """A classifier whose weights the tests change."""
    return OSNetModel(**SMALL, classes=3)


def images_of(count):
    return np.random.default_rng(count).normal(0, 1, (count, 32, 16, 3)).astype("float32")


def check(model, images):
    """Check three calls, of which the second is recorded on torch, against Keras's."""
    expected = keras.Model.predict(model, images, verbose=0)
    for _ in range(3):
        found = model.predict(images, verbose=0)
        keras.tree.map_structure(check_equal, found, expected)
    return found


def check_equal(found, expected):
    assert found.dtype == expected.dtype
    assert found.flags.writeable
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * scale)


@pytest.mark.large
@pytest.mark.parametrize(
    "arguments",
    [
        {"head": "embedding", "variant": "ibn", "normalize": True, "include_preprocessing": True},
        {"head": "attribute", "classes": 4, "fusion": "separate"},
        {"outputs": ["embedding", "conv1"], "fusion": "concatenation"},
    ],
    ids=["embedding", "attribute", "outputs"],
)
def test_outputs_of_every_head(arguments):
    check(OSNetModel(**SMALL, **arguments), images_of(2))


@pytest.mark.large
def test_mixed_precision():
    model = OSNetModel(**SMALL, classes=3, dtype="mixed_bfloat16")
    before = check(model, images_of(1))
    model.set_weights([weight * 1.5 for weight in model.get_weights()])
    assert not np.array_equal(check(model, images_of(1)), before)


def test_changed_weights_are_seen(trained, tmp_path):
    images = images_of(1)
    seen = [check(trained, images)]
    trained.save_weights(tmp_path / "first.weights.h5")
    trained.set_weights([weight * 1.5 for weight in trained.get_weights()])
    seen.append(check(trained, images))
    trained.get_layer("logits").bias.assign([5.0, 0.0, 0.0])
    seen.append(check(trained, images))
    for one, other in itertools.pairwise(seen):
        assert np.abs(one - other).max() > 1e-6
    trained.load_weights(tmp_path / "first.weights.h5")
    np.testing.assert_allclose(check(trained, images), seen[0], atol=1e-6)


def test_fit_and_the_same_variables_in_another_model(trained):
    images = images_of(4)
    embedding = trained.replace(head="embedding")
    before, vector = check(trained, images), check(embedding, images)
    trained.compile(
        keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", run_eagerly=BACKEND == "torch"
    )
    during = []
    at_end = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: during.append(trained.predict(images, verbose=0))
    )
    trained.fit(images, np.array([0, 1, 2, 0]), epochs=2, verbose=0, callbacks=[at_end])
    assert np.abs(during[0] - during[1]).max() > 1e-6
    after = check(trained, images)
    check_equal(during[1], after)
    assert np.abs(after - before).max() > 1e-6
    assert np.abs(check(embedding, images) - vector).max() > 1e-6


@pytest.mark.large
def test_quantized_layers_are_seen():
    model = OSNetModel(**SMALL, head="embedding")
    before = check(model, images_of(2))
    model.quantize("int8")
    found, expected = (
        run(model, images_of(2), verbose=0) for run in (OSNetModel.predict, keras.Model.predict)
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not np.array_equal(found, before)


@pytest.mark.large
def test_other_sizes_of_batches(trained):
    images = images_of(MOST_RECORDINGS + 2 if BACKEND == "torch" else 3)
    expected = keras.Model.predict(trained, images, verbose=0)
    for _ in range(2):
        for count in range(1, len(images) + 1):
            found = trained.predict_on_batch(images[:count])
            np.testing.assert_allclose(found, expected[:count], atol=1e-5)


def test_training_is_not_affected(trained):
    images = images_of(4)
    check(trained, images)
    outputs = keras.ops.convert_to_numpy(trained(images, training=True))
    assert np.abs(outputs - check(trained, images)).max() > 1e-6


@not_on_tensorflow
def test_a_subclass_with_its_own_step_is_left_to_keras():
    class Own(OSNetModel):
        def predict_step(self, *arguments):
            self.called = True
            return super().predict_step(*arguments)

    model = Own(**SMALL, head="embedding")
    for _ in range(3):
        model.called = False
        model.predict(images_of(1), verbose=0)
        assert model.called or BACKEND == "jax"  # which compiles it
    assert model._predict_one_batch is None


@on_torch
class TestRecording:
    def test_the_second_batch_of_a_shape_is_recorded(self, monkeypatch):
        model = OSNetModel(**SMALL, head="embedding")
        calls = []
        own = OSNetModel.call
        monkeypatch.setattr(
            OSNetModel, "call", lambda *given, **more: calls.append(1) or own(*given, **more)
        )
        counts = []
        for _ in range(4):
            model.predict(images_of(1), verbose=0)
            counts.append(len(calls))
        assert counts[0] == 1
        assert counts[1:] == [counts[1]] * 3

    def test_a_model_that_cannot_be_recorded_is_called(self, monkeypatch):
        def refused(*arguments):
            raise TypeError("cannot be written into a graph")

        monkeypatch.setattr("keras_osnet.architecture.torch_recording.record", refused)
        check(OSNetModel(**SMALL, head="embedding"), images_of(1))

    def test_parameters_moved_to_other_memory_are_seen(self):
        model = OSNetModel(**SMALL, head="embedding")
        check(model, images_of(1))
        for variable in model.variables:
            variable.value.data = variable.value.detach() * 1.5
        check(model, images_of(1))

    def test_inference_mode(self):
        import torch

        model = OSNetModel(**SMALL, head="embedding")
        with torch.inference_mode():
            check(model, images_of(1))

    def test_random_numbers_and_assignments_are_not_recorded(self):
        import torch

        from keras_osnet.architecture.torch_recording import record

        images = torch.ones(1, 4, 4, 3)
        assert record(lambda given: given * torch.rand(1), images, []) is None
        assert record(lambda given: (given + 1).add_(1), images, []) is None
        assert record(lambda given: given if given.sum() > 0 else -given, images, []) is None
        weight = torch.ones(3)
        recording = record(lambda given: (given * weight.view(1, 3).exp(),), images, [weight])
        weight.mul_(2)
        torch.testing.assert_close(recording(images)[0], images * weight.exp())
