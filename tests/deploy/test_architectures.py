"""All nine networks of torchreid, with every head, in every format."""

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.deploy import export
from keras_osnet.synthetic import synthetic_people

NINE = [
    name
    for name, given in keras_osnet.list_models().items()
    if given.keys() <= {"width", "variant"}
]
HEADS = {
    "embedding": {"head": "embedding"},
    "classification": {"classes": 7},
    "attribute": {"head": "attribute"},
    "maps": {"include_top": False},
}
LARGEST = {None: 1e-4, "float16": 0.05, "dynamic": 0.25}
"""Relative difference; of random weights, which are no worse than trained ones in this."""

IMAGES = synthetic_people(2, views=1, image_size=(64, 32)).images

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a process each under other backends"
)


def build(name, **arguments):
    keras.utils.set_random_seed(0)
    given = keras_osnet.list_models()[name]
    return keras_osnet.OSNet(**given, input_shape=(64, 32, 3), **arguments)


def test_nine():
    assert len(NINE) == 9


@pytest.mark.exhaustive
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", NINE)
def test_litert(name, head, tmp_path):
    model = build(name, **HEADS[head])
    for quantization, largest in LARGEST.items():
        report = export(model, tmp_path / "m.tflite", quantization=quantization, images=IMAGES)
        assert report.max_relative_difference <= largest, quantization
        assert report.cosine_min > 0.98, quantization


@pytest.mark.exhaustive
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", NINE)
def test_int8(name, head, tmp_path):
    images = synthetic_people(range(2, 34), views=1, image_size=(64, 32)).images
    report = export(
        build(name, **HEADS[head]),
        tmp_path / "m.tflite",
        quantization="int8",
        calibration=images,
        images=IMAGES,
    )
    assert report.cosine_min > 0.98


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", NINE)
def test_other_formats(name, tmp_path):
    model = build(name, head="embedding")
    for file in ("m.onnx", "m.xml"):
        assert export(model, tmp_path / file, images=IMAGES).max_relative_difference <= 1e-4


@pytest.mark.large
@pytest.mark.parametrize(
    ("variant", "file"), [("ibn", "m.tflite"), ("ain", "m.xml"), ("ibn", "m.onnx")]
)
def test_instance_norm(variant, file, tmp_path):
    model = keras_osnet.OSNet(
        0.25,
        variant=variant,
        head="embedding",
        input_shape=(64, 32, 3),
        depths=(2, 2, 2) if variant == "ain" else (1, 1, 1),
        streams=1,
        fusion="addition",
    )
    for layer in model.layers:
        for weight in layer.weights:
            if weight.path.endswith(("gamma", "beta")):
                weight.assign(np.random.default_rng(0).uniform(0.5, 1.5, weight.shape))
    report = export(model, tmp_path / file, batch=None, images=IMAGES)
    assert report.max_relative_difference <= 1e-4
    assert report.off_xnnpack in (None, ("1 × CAST",))


@pytest.mark.large
@pytest.mark.parametrize("quantized", [False, True])
def test_tensorflows_own_converter_takes_a_model_as_it_is(quantized):
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    model = keras_osnet.OSNet(
        0.25, head="embedding", input_shape=(64, 32, 3), depths=(1, 1, 1), streams=2
    )
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    interpreter = Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    images = keras_osnet.preprocess_input(IMAGES[:1])
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    vectors = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    difference = np.abs(vectors - expected).max() / np.abs(expected).max()
    assert difference < (0.1 if quantized else 1e-4)
