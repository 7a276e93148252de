"""Instance norm in operations that every engine computes fast."""

from typing import Any

import keras
from keras import ops


def with_means(model: keras.Model) -> keras.Model:
    """Write every instance norm as two means over the image and a multiply-add.

    Keras's own goes through reshapes: LiteRT takes 1.5 times as long for them with OSNet-AIN x0.25
    and twice with OSNet-IBN x1.0 (one image), and OpenVINO treats the shapes, where the batch is
    open, as further outputs of the model.

    Args:
        model: Flat and functional; its layers are shared with the result.
    """
    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=_call_with_means
    )


def _call_with_means(layer: Any, *inputs: Any, **arguments: Any) -> Any:
    instance = isinstance(layer, keras.layers.GroupNormalization) and (
        layer.groups in (-1, inputs[0].shape[-1])
    )
    if not instance or len(inputs[0].shape) != 4 or layer.axis not in (-1, 3):
        return layer(*inputs, **arguments)
    features = inputs[0]
    mean = _mean(features, f"{layer.name}_mean")
    centered = features - mean
    variance = _mean(centered * centered, f"{layer.name}_variance")
    gain = ops.rsqrt(variance + layer.epsilon)
    if layer.scale:
        gain = gain * ops.convert_to_tensor(layer.gamma)
    offset = -mean * gain
    if layer.center:
        offset = offset + ops.convert_to_tensor(layer.beta)
    return features * gain + offset


def _mean(features: Any, name: str) -> Any:
    """Return the mean over height and width, (batch, 1, 1, channels)."""
    layer = keras.layers.GlobalAveragePooling2D(
        data_format="channels_last", keepdims=True, dtype=features.dtype, name=name
    )
    return layer(features)
