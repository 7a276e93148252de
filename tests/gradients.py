"""Gradients on whichever backend this is."""

import keras
import numpy as np
from keras import ops


def gradient(loss, y_true, y_pred):
    """Return the gradient of `loss(y_true, y_pred)` with respect to the predictions."""
    y_pred = ops.convert_to_tensor(y_pred)
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(lambda value: loss(y_true, value))(y_pred))
    if backend == "torch":
        y_pred = y_pred.detach().requires_grad_()
        loss(y_true, y_pred).backward()
        return y_pred.grad.cpu().numpy()
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(y_true, y_pred)
    return tape.gradient(value, y_pred).numpy()


def numerical_gradient(loss, y_true, y_pred, step=1e-2):
    """Return the slopes of a loss by central differences."""
    slopes = np.zeros_like(y_pred)
    for index in np.ndindex(*y_pred.shape):
        high, low = y_pred.copy(), y_pred.copy()
        high[index] += step
        low[index] -= step
        slopes[index] = (float(loss(y_true, high)) - float(loss(y_true, low))) / (2 * step)
    return slopes
