"""A model's operations on torch, recorded once and run again without Python between them."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch
from torch.overrides import TorchFunctionMode

TOLERANCE = 1e-5
"""Largest difference from the model, relative to the largest output, that a recording may have."""

_READS = ("__bool__", "__float__", "__index__", "__int__", "item", "numpy", "tolist")
"""Methods of tensors by which Python gets at values, and may act on them."""


class Recording:
    """The operations between a batch and the outputs for it.

    Parameters are not copied: values assigned to them in place are seen, as Keras and the
    optimizers of torch assign them. `is_of` tells whether they are the same tensors as before.

    Args:
        module: The operations, as torch.fx runs them.
        outputs: Structure of the outputs.
        values: The model's parameters.
    """

    def __init__(self, module: Any, outputs: Any, values: Sequence[Any]) -> None:
        self._module = module
        self._outputs = outputs
        self._values = list(values)
        self._addresses = [value.data_ptr() for value in values]

    def is_of(self, values: Sequence[Any]) -> bool:
        """Return whether the model's parameters are still those that were recorded."""
        return (
            len(values) == len(self._values)
            and all(map(operator.is_, values, self._values))
            and [value.data_ptr() for value in values] == self._addresses
        )

    def __call__(self, images: Any) -> Any:
        """Return the outputs for a batch of the recorded shape, type and device."""
        return keras.tree.pack_sequence_as(self._outputs, self._module(images))


def record(call: Callable[[Any], Any], images: Any, values: Sequence[Any]) -> Recording | None:
    """Record a call of a model.

    Args:
        call: Function from a batch to the model's outputs.
        images: A batch.
        values: The parameters that it reads.

    Returns:
        The recording; None if it does not reproduce the call on another batch, as for a layer that
        draws random numbers, or if it might not for a third, as for one that branches on values.
    """
    recorder = _Recorder(images, values)
    with recorder:
        outputs = call(images)
    flat = keras.tree.flatten(outputs)
    if not recorder.is_repeatable or any(id(output) not in recorder.nodes for output in flat):
        return None
    recorder.graph.output([recorder.nodes[id(output)] for output in flat])
    recorder.graph.eliminate_dead_code()
    module = torch.fx.GraphModule(recorder.constants, recorder.graph)
    recording = Recording(module, outputs, values)
    other = images.flip(2)
    same = map(_equal, keras.tree.flatten(recording(other)), keras.tree.flatten(call(other)))
    return recording if all(same) else None


class _Recorder(TorchFunctionMode):
    """Writes every call of torch that depends on the images or on parameters into a graph.

    Attributes:
        graph: The calls.
        nodes: The graph's node of each tensor, by the tensor's identity.
        constants: Module with the tensors that do not depend on the images. Views of parameters
            are such tensors: they share the parameters' memory.
        is_repeatable: Whether no call has changed a tensor in place, or given a value to Python.
    """

    def __init__(self, images: Any, values: Sequence[Any]) -> None:
        super().__init__()
        self.graph = torch.fx.Graph()
        self.nodes = {id(images): self.graph.placeholder("images")}
        self.constants = torch.nn.Module()
        self.is_repeatable = True
        self._parameters = {id(value): value for value in values}
        # An identity is free for another tensor as soon as its tensor is gone.
        self._kept = [images]

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call the function, and record the call."""
        del types
        kwargs = kwargs or {}
        leaves = keras.tree.flatten((args, kwargs))
        if any(isinstance(leaf, keras.Variable) for leaf in leaves):
            with self:  # so that a cast to the compute dtype is recorded
                args, kwargs = keras.tree.map_structure(_value_of, (args, kwargs))
            leaves = keras.tree.flatten((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        versions = [tensor._version for tensor in tensors]
        outputs = function(*args, **kwargs)
        if [tensor._version for tensor in tensors] != versions:
            self.is_repeatable = False
        self._write(function, args, kwargs, tensors, outputs)
        return outputs

    def _write(
        self, function: Any, args: Any, kwargs: Any, tensors: Sequence[Any], outputs: Any
    ) -> None:
        several = isinstance(outputs, (list, tuple))
        results = list(outputs) if several else [outputs]
        if not any(isinstance(result, torch.Tensor) for result in results):
            if getattr(function, "__name__", "") in _READS:
                self.is_repeatable = False
            return  # else a shape or a dtype
        if not any(id(tensor) in self.nodes for tensor in tensors):
            parameters = [tensor for tensor in tensors if id(tensor) in self._parameters]
            if not parameters:
                return
            if not several and _share_memory(outputs, parameters):
                self._parameters[id(outputs)] = outputs
                return
        if not several and id(outputs) in self.nodes:
            return  # the input itself, as of `contiguous`
        args, kwargs = keras.tree.map_structure(self._argument, (args, kwargs))
        node = self.graph.call_function(function, tuple(args), kwargs)
        for index, result in enumerate(results):
            if isinstance(result, torch.Tensor):
                self._kept.append(result)
                self.nodes[id(result)] = (
                    self.graph.call_function(operator.getitem, (node, index)) if several else node
                )

    def _argument(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        if id(value) not in self.nodes:
            name = f"constant{len(self._kept)}"
            setattr(self.constants, name, value.detach())
            self._kept.append(value)
            self.nodes[id(value)] = self.graph.get_attr(name)
        return self.nodes[id(value)]


def _value_of(leaf: Any) -> Any:
    return leaf.value if isinstance(leaf, keras.Variable) else leaf


def _share_memory(tensor: Any, others: Sequence[Any]) -> bool:
    address = tensor.untyped_storage().data_ptr()
    return any(other.untyped_storage().data_ptr() == address for other in others)


def _equal(found: Any, expected: Any) -> bool:
    found, expected = (
        np.asarray(keras.ops.convert_to_numpy(each), "float64") for each in (found, expected)
    )
    scale = max(np.abs(expected).max(initial=0.0, where=np.isfinite(expected)), 1e-30)
    return np.allclose(found, expected, rtol=0.0, atol=TOLERANCE * scale, equal_nan=True)
