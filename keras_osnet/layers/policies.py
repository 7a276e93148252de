"""Dtype policies of layers inside of layers, some of which may be quantized."""

from typing import Any

import keras
from keras.dtype_policies import DTypePolicyMap


def policy_of(dtype: Any, path: str, default: Any = None) -> Any:
    """Return the policy that a layer gets from the one it belongs to.

    Args:
        dtype: Policy of the outer layer or model: a map from paths if something in it is quantized.
        path: The inner layer's path, such as `"conv2_block1/gate/squeeze"`.
        default: Its policy if it is not quantized; by default that of the outer one.
    """
    if isinstance(dtype, DTypePolicyMap):
        return dtype.get(path, default or dtype.default_policy)
    return default or dtype


def saved_policy(layer: keras.Layer) -> keras.DTypePolicy:
    """Return the policy that `get_config` stores for a layer with layers inside.

    It is the layer's own, or, if inner layers are quantized, a map from their paths.
    Without it a quantized layer would be built as a float one when it is loaded.
    """
    own = policy_of(layer.dtype_policy, "")
    quantized = {}
    for inner in layer._flatten_layers(include_self=False):
        if inner.dtype_policy.quantization_mode is not None:
            check_quantization(getattr(inner, "quantization_config", None))
            quantized[inner.path] = inner.dtype_policy
    return DTypePolicyMap(own.name, quantized) if quantized else own


def check_quantization(config: Any) -> None:
    """Raise ValueError if a layer that is quantized like this could not be loaded as it is saved.

    Args:
        config: A `keras.quantizers.QuantizationConfig`, or None for the default.
    """
    modes = (
        keras.quantizers.Int8QuantizationConfig,
        keras.quantizers.Int4QuantizationConfig,
        keras.quantizers.Float8QuantizationConfig,
    )
    if config is None:
        return
    if isinstance(config, modes):
        own, default = (
            each.activation_quantizer and each.activation_quantizer.get_config()
            for each in (config, type(config)())
        )
        if own == default:
            return
    raise ValueError(
        "`config` must be of int8, int4 or float8, with the default quantizer of activations: "
        f"no other could be saved with the layer. Received: config={config!r}"
    )
