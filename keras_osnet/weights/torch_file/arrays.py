"""From what a checkpoint says of its tensors to arrays that view its storages."""

import math
import sys

import numpy as np

from keras_osnet.weights.torch_file.containers import Container
from keras_osnet.weights.torch_file.objects import ELEMENTS, Storage, Tensor, item_size
from keras_osnet.weights.torch_file.values import RefusedError


class ArrayMaker:
    """Makes arrays that view the storages, each of which is converted at most once.

    Args:
        container: Where the storages lie.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._storages: dict[str, tuple[str, np.ndarray]] = {}

    def make(self, tensor: Tensor) -> np.ndarray:
        """Turn what the pickle says of a tensor into an array.

        Args:
            tensor: What the pickle says.

        Returns:
            A read-only view of the storage, bfloat16 as float32.

        Raises:
            RefusedError: If the tensor is larger than its storage or reaches out of it, or the
                storage is missing, damaged, or was already asked for with another element type.
        """
        values = self._storage(tensor.storage, tensor.element)
        if tensor.storage.element is not None:
            first = tensor.storage.first
            values = values[first : first + tensor.storage.length]
        count = math.prod(tensor.shape)
        if count == 0:
            # NumPy's own limit holds for the dimensions that are not 0.
            extent = math.prod(size for size in tensor.shape if size) * values.itemsize
            if extent > sys.maxsize or tensor.offset > values.size:
                raise RefusedError(f"an empty shape is out of bounds: {tensor.shape}")
            return _read_only(np.empty(tensor.shape, values.dtype))
        steps = zip(tensor.shape, tensor.strides, strict=True)
        last = tensor.offset + sum((size - 1) * stride for size, stride in steps)
        if count > values.size or last >= values.size:
            raise RefusedError(
                f"a tensor of shape {tensor.shape}, strides {tensor.strides} and offset "
                f"{tensor.offset} is asked for from a storage of {values.size} elements"
            )
        # The stride of a dimension of size 1 is never taken and may be anything.
        strides = [
            stride * values.itemsize if size > 1 else 0
            for size, stride in zip(tensor.shape, tensor.strides, strict=True)
        ]
        return np.ndarray(
            tensor.shape, values.dtype, values, tensor.offset * values.itemsize, strides
        )

    def _storage(self, storage: Storage, element: str) -> np.ndarray:
        if storage.key in self._storages:
            earlier, values = self._storages[storage.key]
            if earlier != element:
                raise RefusedError(f"a storage of {earlier} is asked for as {element} as well")
            return values
        content = self._container.content(storage)
        if len(content) % item_size(element):
            raise RefusedError(f"its storage has {len(content)} bytes, too many for {element}")
        values = _convert(content, element, self._container.byte_order)
        self._storages[storage.key] = element, _read_only(values)
        return values


def _convert(content: memoryview, element: str, byte_order: str) -> np.ndarray:
    stored = np.dtype(byte_order + ELEMENTS[element])
    # Not `frombuffer`, which refuses empty storages.
    values = np.ndarray(len(content) // stored.itemsize, stored, content)
    # Copied, so that the file can change or go without the arrays.
    values = values.astype(stored.newbyteorder("="))
    if element == "bfloat16":
        # The upper half of a float32.
        wide = values.astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)
    # Any byte but 0 is true to PyTorch; NumPy expects 0 and 1.
    return values != 0 if element == "bool" else values


def _read_only(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values
