"""Write an int8 `.tflite` file."""

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from keras_osnet.deploy.int8.flatbuffer import (
    Flatbuffer,
    measured_ranges,
    quantized,
    with_uint8_input,
)
from keras_osnet.deploy.int8.quantization import round_weights
from keras_osnet.deploy.tflite import tflite_bytes


def quantize_int8(
    model: keras.Model, images: NDArray, *, names: tuple[str, str] = ("image", "embedding")
) -> bytes:
    """Convert a folded model to a TFLite flatbuffer that computes in int8.

    litert-quantizer writes it, with the weights of `round_weights` and with grids of feature maps
    from the lowest to the highest value seen. The same model and images give the same file on the
    same machine.

    Args:
        model: As for `round_weights`.
        images: As for `round_weights`.
        names: Of the input and the result in the signature `serving_default`.

    Returns:
        The file's content. Input and output have the types of the model's.

    Raises:
        ValueError: As `round_weights` does.
        RuntimeError: Keras runs on another backend than TensorFlow.
        ImportError: TensorFlow, LiteRT or litert-quantizer is not installed.

    Example:
        >>> import keras
        >>> from keras_osnet.synthetic import synthetic_people
        >>> from keras_osnet.deploy.int8 import quantize_int8
        >>> image = keras.Input((32, 16, 3), dtype="uint8")
        >>> maps = keras.layers.Rescaling(1 / 255)(image)
        >>> maps = keras.layers.Conv2D(8, 3, activation="relu")(maps)
        >>> model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps))
        >>> images = synthetic_people(16, views=2, image_size=(32, 16)).images
        >>> quantize_int8(model, images)[4:8]
        b'TFL3'
    """
    rounded = round_weights(model, images)
    flatbuffer = Flatbuffer(tflite_bytes(rounded.model, names))
    scales = {
        _in_tflite_order(rounded.model.get_layer(name)).tobytes(): own
        for name, own in rounded.scales.items()
    }
    ranges = measured_ranges(flatbuffer, scales, rounded.images)
    content = quantized(flatbuffer, scales, ranges)
    return with_uint8_input(content) if rounded.dtype == "uint8" else content


def _in_tflite_order(layer: Any) -> NDArray[np.float32]:
    """Return a kernel as TFLite stores it, outputs first; its values identify it in the file."""
    kernel = np.asarray(layer.kernel)
    if isinstance(layer, layers.Dense):
        return np.ascontiguousarray(kernel.T)
    if isinstance(layer, layers.DepthwiseConv2D):
        return np.ascontiguousarray(kernel.reshape(1, *kernel.shape[:2], -1))
    return np.ascontiguousarray(kernel.transpose(3, 0, 1, 2))
