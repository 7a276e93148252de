"""From a folded Keras model to the bytes of a file, where Keras runs on TensorFlow."""

import warnings
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from keras_osnet.deploy._require import require
from keras_osnet.deploy.dynamic_range import with_dynamic_range
from keras_osnet.deploy.instance_norm import with_means


def write_tflite(
    model: keras.Model, output: str, file: Path, quantization: str | None, images: NDArray | None
) -> None:
    """Write a `.tflite` file.

    Args:
        model: Of a `ServedModel`; so is `output`.
        output: Name of the result in the signature.
        file: To write.
        quantization: None, `"float16"`, `"dynamic"` or `"int8"`.
        images: Array (n, height, width, 3), uint8, to calibrate `"int8"` with; None for the others.
    """
    if images is not None:
        from keras_osnet.deploy.int8 import quantize_int8

        with warnings.catch_warnings():  # of few pictures, which the exporter has done by now
            warnings.filterwarnings("ignore", "int8 is calibrated on", UserWarning)
            content = quantize_int8(model, images, output=output)
        file.write_bytes(content)
    else:
        file.write_bytes(tflite_bytes(with_means(model), output, quantization))


def tflite_bytes(model: keras.Model, output: str, quantization: str | None = None) -> bytes:
    """Convert a model to a TFLite flatbuffer with the signature `serving_default`.

    Variables become constants before the converter sees the graph, which it then converts three
    times faster than a Keras model or a SavedModel.

    Args:
        model: Functional, with one input, which the signature calls `image`, and one output.
        output: Name of the result in the signature.
        quantization: None, `"float16"` (weights as float16) or `"dynamic"` (weights as int8).
    """
    tf = require("tensorflow", "Exporting")
    freezing = require("tensorflow.python.framework.convert_to_constants", "Exporting")
    image = model.inputs[0]
    signature = [tf.TensorSpec(image.shape, image.dtype, name="image")]

    @tf.function(autograph=False, input_signature=signature)
    def called(image: Any) -> Any:
        return model(image, training=False)

    frozen = freezing.convert_variables_to_constants_v2(called.get_concrete_function())

    @tf.function(autograph=False, input_signature=signature)
    def serving_default(image: Any) -> dict[str, Any]:
        return {output: frozen(image)[0]}

    holder = tf.Module()
    holder.serving_default = serving_default
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [serving_default.get_concrete_function()], holder
    )
    if quantization == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    content = converter.convert()
    return with_dynamic_range(content) if quantization == "dynamic" else content


def write_onnx(model: keras.Model, file: Path) -> None:
    """Write an `.onnx` file through `model.export`."""
    require("tf2onnx", "Exporting to ONNX")
    with_means(model).export(
        str(file), format="onnx", input_signature=_signature(model), verbose=False
    )


def write_openvino(model: keras.Model, file: Path) -> None:
    """Write an `.xml` file, and its `.bin`, through `model.export`."""
    require("openvino", "Exporting to OpenVINO")
    with_means(model).export(
        str(file), format="openvino", input_signature=_signature(model), verbose=False
    )


def _signature(model: keras.Model) -> list[keras.InputSpec]:
    """The model's input as it is; Keras would leave the batch open."""
    image = model.inputs[0]
    return [keras.InputSpec(shape=image.shape, dtype=image.dtype, name=image.name)]
