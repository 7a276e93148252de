"""Inference on one batch, without the time that Keras takes for a call on JAX and torch."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

MOST_RECORDINGS = 8
"""Recordings, one for each shape of a batch, that a model keeps on torch."""


class PredictOneBatch:
    """`predict_on_batch` of a model on JAX or torch; results are those of Keras's own.

    On JAX the network is compiled once for each shape, and takes the variables as arguments. Keras
    donates them to each call and assigns them again after it.

    On torch the second batch of a shape is recorded (see `torch_recording`), which takes the time
    of a few calls; the following ones run the recording.

    Both read the variables' current values in each call: changed weights are seen at once.

    Args:
        model: A functional model with one input.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._layers = [
            layer
            for layer in model._flatten_layers()
            if layer._trainable_variables or layer._non_trainable_variables
        ]
        self._compiled: Any = None
        self._recordings: dict[Any, Any] = {}

    def __call__(self, images: NDArray) -> Any:
        """Return the outputs as arrays for images (batch, height, width, channels)."""
        if images.dtype.kind == "f":
            images = images.astype(keras.config.floatx(), copy=False)
        run = self._on_jax if keras.backend.backend() == "jax" else self._on_torch
        return run(images)

    def _variables(self) -> list[Any]:
        """Return the model's variables; quantizing a layer replaces some of them."""
        return [
            variable
            for layer in self._layers
            for variables in (layer._trainable_variables, layer._non_trainable_variables)
            for variable in variables
        ]

    def _on_jax(self, images: NDArray) -> Any:
        import jax

        if self._compiled is None:
            self._compiled = jax.jit(self._stateless)
        self._model.jax_state_sync()  # in a callback of `fit` the variables have no values
        values = [variable._value for variable in self._variables()]
        return keras.tree.map_structure(np.array, self._compiled(values, images))

    def _stateless(self, values: list[Any], images: Any) -> Any:
        variables = list(zip(self._variables(), values, strict=True))
        with keras.StatelessScope(state_mapping=variables):
            return self._model(images, training=False)

    def _on_torch(self, images: NDArray) -> Any:
        import torch

        from keras_osnet.architecture.torch_recording import record

        def call(tensor: Any) -> Any:
            return self._model(tensor, training=False)

        values = [variable._value for variable in self._variables()]
        # Tensors of inference mode have no versions, by which a recording notices assignments.
        with torch.inference_mode(False), torch.no_grad():
            tensor = keras.ops.convert_to_tensor(images)
            key = (tensor.shape, tensor.dtype, tensor.device)
            if key not in self._recordings:
                if len(self._recordings) == MOST_RECORDINGS:
                    self._recordings.clear()
                self._recordings[key] = _Once
                outputs = call(tensor)
            elif self._recordings[key] is None:  # cannot be recorded
                outputs = call(tensor)
            else:
                recording = self._recordings[key]
                if recording is _Once or not recording.is_of(values):
                    try:
                        recording = record(call, tensor, values)
                    except Exception:
                        # torch.fx refuses some functions. A fault of the model shows in its call.
                        recording = None
                    self._recordings[key] = recording
                outputs = call(tensor) if recording is None else recording(tensor)
        return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)


class _Once:
    """Stands for a shape that one batch had so far."""
