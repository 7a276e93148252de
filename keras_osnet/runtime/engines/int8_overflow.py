"""Whether onnxruntime adds int8 products correctly on this processor."""

import base64
import functools
from typing import Any

import numpy as np

_PRODUCT = base64.b64decode(
    "CAUSADpYChgKAWEKAWISAWMiDU1hdE11bEludGVnZXISAWcqDwgECAEQA0IBYkoEf39/f1oTCgFhEg4KDAgCEggKAggBCgII"
    "BGITCgFjEg4KDAgGEggKAggBCgIIAUIECgAQCg=="
)
"""ONNX file of the product c = a b by `MatMulInteger`: a is uint8 (1, 4), b four weights of 127.
`tests/runtime/test_int8_overflow.py` makes the same file with onnx."""

_LARGEST_PIXEL, _LARGEST_WEIGHT, _COUNT = 255, 127, 4


@functools.cache
def overflows(onnxruntime: Any) -> bool:
    """Return whether sums of int8 products overflow.

    On x86 processors without VNNI (Intel's before 2019, AMD's before 2022), the kernels of
    onnxruntime for uint8 feature maps and int8 weights add pairs of products in 16 bits: the
    embeddings of OSNet x0.25 had cosines of 0.75 to 0.98 to the right ones. The session option
    `session.x64quantprecision` avoids it, and takes about twice the time on processors that do not
    need it.

    Args:
        onnxruntime: The package.
    """
    session = onnxruntime.InferenceSession(_PRODUCT, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"a": np.full((1, _COUNT), _LARGEST_PIXEL, np.uint8)})
    return bool(result.item() != _COUNT * _LARGEST_PIXEL * _LARGEST_WEIGHT)
