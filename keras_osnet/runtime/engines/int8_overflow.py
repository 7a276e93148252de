"""Whether engines add int8 products correctly on this processor.

On x86 processors without VNNI (Intel's before 2019, AMD's before 2022), the kernels of onnxruntime
and OpenVINO for uint8 feature maps and int8 weights add pairs of products in 16 bits. Of the int8
OSNet x0.25, embeddings had cosines of 0.75 (onnxruntime) and 0.84 (OpenVINO) to the right ones, on
an emulated processor of 2013; LiteRT's kernels are right there. Both engines have another way
to compute, which is slower, and is used where a product of the largest numbers is wrong.
"""

import base64
import functools
from typing import Any

import numpy as np

OPENVINO_IN_FLOAT = {"LP_TRANSFORMS_MODE": "NO"}
"""Setting with which OpenVINO computes an int8 network in float32, with the same rounding."""

_LARGEST, _WEIGHT = 255, 127
"""Of uint8, and of the weights."""

_PRODUCT = base64.b64decode(
    "CAUSADpYChgKAWEKAWISAWMiDU1hdE11bEludGVnZXISAWcqDwgECAEQA0IBYkoEf39/f1oTCgFhEg4KDAgCEggKAggBCgII"
    "BGITCgFjEg4KDAgGEggKAggBCgIIAUIECgAQCg=="
)
"""ONNX file of the product c = a b by `MatMulInteger`: a is uint8 (1, 4), b four weights of 127.
`tests/runtime/test_int8_overflow.py` makes the same file with onnx."""

_CHANNELS, _SIDE = 16, 4
"""Of the feature map that OpenVINO convolves; smaller ones might get other kernels."""


@functools.cache
def onnxruntime_overflows(onnxruntime: Any) -> bool:
    """Return whether sums of int8 products overflow in onnxruntime.

    Args:
        onnxruntime: The package.
    """
    session = onnxruntime.InferenceSession(_PRODUCT, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"a": np.full((1, 4), _LARGEST, np.uint8)})
    return bool(result.item() != 4 * _LARGEST * _WEIGHT)


@functools.cache
def openvino_overflows(openvino: Any) -> bool:
    """Return whether sums of int8 products overflow in OpenVINO on the CPU; takes 0.3 s.

    Args:
        openvino: The package.
    """
    # Otherwise the result is rounded to bfloat16 on processors with an AMX unit.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(_convolution(openvino), "CPU", exact)
    image = np.full(compiled.input().shape, _LARGEST, np.float32)
    return bool((compiled(image)[0] != _CHANNELS * _LARGEST * _WEIGHT).any())


def _convolution(openvino: Any) -> Any:
    """Return OpenVINO's network of one pointwise convolution of uint8 maps by weights of 127."""
    operations = openvino.opset13
    image = operations.parameter([1, _CHANNELS, _SIDE, _SIDE], np.float32)
    low, high = np.float32(0), np.float32(_LARGEST)
    maps = operations.fake_quantize(image, low, high, low, high, _LARGEST + 1)
    codes = operations.constant(np.full((_CHANNELS, _CHANNELS, 1, 1), _WEIGHT, np.int8))
    steps = np.ones((_CHANNELS, 1, 1, 1), np.float32)
    kernel = operations.multiply(operations.convert(codes, np.float32), steps)
    sums = operations.convolution(maps, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
    return openvino.Model([sums], [image])
