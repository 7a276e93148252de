"""Inference on a known number of images, compiled or not."""

import keras
import numpy as np
import pytest

from keras_osnet.architecture.inference import inference_of

IMAGES = np.random.default_rng(0).random((11, 6, 4, 3), np.float32)


@pytest.fixture
def model():
    image = keras.Input((6, 4, 3))
    maps = keras.layers.Conv2D(5, 3)(image)
    outputs = {"maps": maps, "means": keras.layers.GlobalAveragePooling2D()(maps)}
    return keras.Model([image], outputs)


@pytest.mark.parametrize("batch_size", [2, 3, 11, 32])
def test_all_batches_have_their_own_results(model, batch_size):
    infer = inference_of(model, len(IMAGES), batch_size)
    for start in range(0, len(IMAGES), batch_size):
        batch = IMAGES[start : start + batch_size]
        found = infer(batch)
        for name, expected in model([batch]).items():
            assert isinstance(found[name], np.ndarray)
            expected = keras.ops.convert_to_numpy(expected)
            np.testing.assert_allclose(found[name], expected, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others always compile")
@pytest.mark.parametrize(("batch_size", "compiled"), [(2, True), (3, False)])
def test_tensorflow_traces_for_many_batches_once(model, batch_size, compiled):
    traced = []

    class Counting(keras.layers.Layer):
        def call(self, maps):
            traced.append(tuple(maps.shape))
            return maps

    model = keras.Model(model.inputs, Counting()(model.outputs[0]))
    traced.clear()
    infer = inference_of(model, len(IMAGES), batch_size)
    for start in range(0, len(IMAGES), batch_size):
        infer(IMAGES[start : start + batch_size])
    assert len(traced) == (1 if compiled else 4)
    assert len(set(traced)) == 1  # the last batch is as long as the others
