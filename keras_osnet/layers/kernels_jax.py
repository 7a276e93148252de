"""Depthwise convolution and normalization for JAX on a CPU, with custom gradients.

The gradients that JAX derives itself are reductions over images and positions that XLA does not
compile to a fast loop on a CPU: they would take most of a training step.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp


@jax.custom_vjp
def convolve_depthwise(maps: Any, kernel: Any) -> Any:
    """Convolve each channel with its own kernel, as a sum of shifted feature maps.

    XLA makes one loop of them. Its own depthwise convolution takes some ten times as long on a
    processor.

    Args:
        maps: Array (batch, height, width, channels).
        kernel: Array (size, size, channels, 1), of odd size.

    Returns:
        Array (batch, height, width, channels).
    """
    factors = kernel.reshape(-1, kernel.shape[2])
    shifts = _shifts(maps, kernel.shape[0])
    return sum(shifted * factor for shifted, factor in zip(shifts, factors, strict=True))


def _convolve(maps: Any, kernel: Any) -> tuple[Any, tuple[Any, Any]]:
    return convolve_depthwise(maps, kernel), (maps, kernel)


def _convolution_gradients(saved: tuple[Any, Any], gradient: Any) -> tuple[Any, Any]:
    maps, kernel = saved
    size = kernel.shape[0]

    def add(sums: list[Any], image: tuple[Any, Any]) -> tuple[list[Any], None]:
        one, its_gradient = image
        products = [shifted * its_gradient for shifted in _shifts(one, size)]
        return [total + new for total, new in zip(sums, products, strict=True)], None

    precise = jnp.promote_types(maps.dtype, "float32")
    zeros = [jnp.zeros(maps.shape[1:], precise)] * size**2
    sums, _ = jax.lax.scan(add, zeros, (maps.astype(precise), gradient.astype(precise)))
    of_kernel = jnp.stack([each.sum((0, 1)) for each in sums])
    of_maps = convolve_depthwise(gradient, kernel[::-1, ::-1])
    return of_maps, of_kernel.reshape(kernel.shape).astype(kernel.dtype)


convolve_depthwise.defvjp(_convolve, _convolution_gradients)


def _shifts(maps: Any, size: int) -> list[Any]:
    """Return the shifted feature map of each position of a kernel, row by row."""
    height, width = maps.shape[-3:-1]
    margin = size // 2
    frame = [(0, 0)] * (maps.ndim - 3) + [(margin, margin)] * 2 + [(0, 0)]
    framed = jnp.pad(maps, frame)
    return [
        framed[..., row : row + height, column : column + width, :]
        for row in range(size)
        for column in range(size)
    ]


@functools.partial(jax.custom_vjp, nondiff_argnums=(5,))
def normalize(inputs: Any, mean: Any, variance: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Normalize by moments over all axes but the last, and differentiate through them.

    Args:
        inputs: Array (…, channels).
        mean: Array (channels,), of these inputs. It is treated as a function of them: their
            gradient is that of normalizing by their own moments, and that of the mean is zero.
        variance: The same.
        gamma: Array (channels,).
        beta: Array (channels,).
        epsilon: Added to the variance.

    Returns:
        Array (…, channels).
    """
    scale = jax.lax.rsqrt(variance + epsilon) * gamma
    return (inputs - mean) * scale + beta


def _normalize(
    inputs: Any, mean: Any, variance: Any, gamma: Any, beta: Any, epsilon: float
) -> tuple[Any, tuple[Any, ...]]:
    outputs = normalize(inputs, mean, variance, gamma, beta, epsilon)
    return outputs, (inputs, mean, jax.lax.rsqrt(variance + epsilon), gamma)


def _norm_gradients(epsilon: float, saved: tuple[Any, ...], gradient: Any) -> tuple[Any, ...]:
    del epsilon
    inputs, mean, inverse, gamma = saved
    axes = tuple(range(inputs.ndim - 1))
    count = inputs.size // inputs.shape[-1]
    of_beta = gradient.sum(axes)
    of_gamma = (gradient * (inputs - mean)).sum(axes) * inverse
    of_inputs = (gamma * inverse) * (
        gradient - of_beta / count - (inputs - mean) * (inverse * of_gamma / count)
    )
    nothing = jnp.zeros_like(mean)
    return of_inputs, nothing, nothing, of_gamma, of_beta


normalize.defvjp(_normalize, _norm_gradients)
