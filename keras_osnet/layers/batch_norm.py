"""Batch normalization with torch's moving variance, in the fastest form of each backend."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_osnet")
class BatchNorm(keras.layers.BatchNormalization):
    """Batch norm over the last axis, whose moving variance is the unbiased one.

    Keras averages the biased variance of each batch (divided by n); torch, and so torchreid,
    averages the unbiased one (divided by n - 1). For small feature maps in small batches they
    differ by a few percent. Everything else, including the variables, is as in Keras.

    Training on TensorFlow uses its fused kernel, and torch its own batch norm, neither of which
    Keras uses: each does forward and gradient in one pass over the feature maps.

    Its arguments are those of `keras.layers.BatchNormalization`, without `axis`, renormalization
    and synchronization.

    Input shape: (batch, …, channels).

    Output shape: the input's.

    Example:
        >>> import numpy as np
        >>> from keras_osnet.layers import BatchNorm
        >>> norm = BatchNorm(momentum=0.0)
        >>> outputs = norm(np.array([[1.0], [3.0]], "float32"), training=True)
        >>> float(norm.moving_variance[0])  # of 1 and 3: 1 divided by n, 2 by n - 1
        2.0
    """

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the variables for feature maps or vectors of this shape."""
        super().build(input_shape)
        # The fused kernel computes the moments in float32, whatever the input's dtype.
        self._train: Callable[[Any], tuple[Any, Any, Any]] = self._by_moments
        backend = keras.backend.backend()
        if backend == "torch":
            self._train = self._on_torch
        elif backend == "tensorflow" and len(input_shape) == 4 and self.compute_dtype != "float64":
            self._train = self._on_tensorflow

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Normalize by the batch's moments in training, else by the moving ones."""
        if self.infers(training):
            if keras.backend.backend() == "torch":
                return self._inferred_by_torch(inputs)
            return super().call(inputs, training=False)
        outputs, mean, variance = self._train(inputs)
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            value = ops.cast(value, moving.dtype)
            moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
        return ops.cast(outputs, self.compute_dtype)

    def infers(self, training: bool | None) -> bool:
        """Return whether a call normalizes by the moving moments: not in training, or frozen."""
        return not (training and self.trainable)

    def folds(self, training: bool | None) -> bool:
        """Return whether to fold this batch norm into the preceding convolution; see `folded_into`.

        Not on torch, where the extra small operations cost as much as the batch norm itself.
        """
        return self.infers(training) and keras.backend.backend() != "torch"

    def folded_into(self, kernel: Any) -> tuple[Any, Any]:
        """Fold this norm, as in inference, into a convolution; return its kernel and bias.

        Args:
            kernel: That of a bias-free convolution (height, width, channels, filters) or depthwise
                convolution (height, width, filters, 1), whose outputs this norm gets.

        Returns:
            The kernel, of the same shape, and the bias (filters,), both in the kernel's dtype.
        """
        dtype, precise = kernel.dtype, _precise(kernel)
        scale = ops.rsqrt(ops.cast(self.moving_variance, precise) + self.epsilon)
        if self.gamma is not None:
            scale = scale * ops.cast(self.gamma, precise)
        bias = -ops.cast(self.moving_mean, precise) * scale
        if self.beta is not None:
            bias = bias + ops.cast(self.beta, precise)
        depthwise = kernel.shape[-1] != scale.shape[0]
        factor = ops.reshape(scale, (-1, 1)) if depthwise else scale
        return ops.cast(ops.cast(kernel, precise) * factor, dtype), ops.cast(bias, dtype)

    def _on_tensorflow(self, maps: Any) -> tuple[Any, Any, Any]:
        import tensorflow as tf

        channels = maps.shape[-1]
        gamma = tf.ones(channels) if self.gamma is None else ops.convert_to_tensor(self.gamma)
        beta = tf.zeros(channels) if self.beta is None else ops.convert_to_tensor(self.beta)
        return tf.compat.v1.nn.fused_batch_norm(
            maps, gamma, beta, epsilon=self.epsilon, is_training=True
        )

    def _on_torch(self, inputs: Any) -> tuple[Any, Any, Any]:
        import torch

        outputs, mean, inverse = torch.native_batch_norm(
            torch.movedim(inputs, -1, 1), *self._affine(), None, None, True, 0.0, self.epsilon
        )
        count = inputs.numel() // inputs.shape[-1]
        variance = inverse.detach() ** -2 - self.epsilon
        return torch.movedim(outputs, 1, -1), mean.detach(), variance * count / max(count - 1, 1)

    def _inferred_by_torch(self, inputs: Any) -> Any:
        import torch

        outputs = torch.nn.functional.batch_norm(
            torch.movedim(inputs, -1, 1),
            self.moving_mean.value,
            self.moving_variance.value,
            *self._affine(),
            eps=self.epsilon,
        )
        return torch.movedim(outputs, 1, -1)

    def _affine(self) -> tuple[Any, Any]:
        """Return gamma and beta as torch tensors; None for one that does not exist."""
        return (
            None if self.gamma is None else self.gamma.value,
            None if self.beta is None else self.beta.value,
        )

    def _by_moments(self, inputs: Any) -> tuple[Any, Any, Any]:
        inputs = ops.cast(inputs, _precise(inputs))
        on_jax = keras.backend.backend() == "jax"
        # On JAX, `normalize` computes the gradient through the moments.
        fixed = ops.stop_gradient(inputs) if on_jax else inputs
        mean, variance = ops.moments(fixed, axes=tuple(range(len(inputs.shape) - 1)))
        gamma, beta = (
            None if each is None else ops.cast(each, inputs.dtype)
            for each in (self.gamma, self.beta)
        )
        if on_jax:
            from keras_osnet.layers.kernels_jax import normalize

            gamma = ops.ones_like(mean) if gamma is None else gamma
            beta = ops.zeros_like(mean) if beta is None else beta
            outputs = normalize(inputs, mean, variance, gamma, beta, self.epsilon)
        else:
            outputs = ops.batch_normalization(
                inputs, mean, variance, axis=-1, offset=beta, scale=gamma, epsilon=self.epsilon
            )
        count = ops.cast(ops.prod(ops.shape(inputs)[:-1]), inputs.dtype)
        return outputs, mean, variance * count / ops.maximum(count - 1.0, 1.0)


def _precise(values: Any) -> str:
    """Return the dtype for computing with moments: float32 at least."""
    dtype = keras.backend.standardize_dtype(values.dtype)
    return "float64" if dtype == "float64" else "float32"
