"""The calibration pictures: are they enough, and do they fit the model?"""

import warnings

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet.data.spacing import evenly_spaced

FEWEST = 8
"""Below this, the ranges are those of the chance pictures, and the biases fitted to them."""

ADVISED = 64
"""Below this, the worst pictures are noticeably worse; `tests/benchmarks/int8.py` measures it."""

MOST = 160
"""All maps of a layer are in memory at once, and more pictures change little."""

PIXELS = (0.0, 255.0)
"""The range of uint8 pixels, whether the pictures have them all or not."""


def check_count(name: str, count: int, stacklevel: int) -> None:
    """Refuse too few pictures, and warn of few.

    Args:
        name: Of the argument that holds them.
        count: How many there are.
        stacklevel: Where to warn, as `warnings.warn` counts from its caller.

    Raises:
        ValueError: There are fewer than `FEWEST`.
    """
    if count < FEWEST:
        raise ValueError(
            f"`{name}` must hold {FEWEST} pictures at least, as the ranges of fewer are not those "
            f"of others; {ADVISED} or more are better. Received: {count}"
        )
    if count < ADVISED:
        warnings.warn(
            f"int8 is calibrated on {count} pictures; {ADVISED} or more are better.",
            stacklevel=stacklevel + 1,
        )


def checked_pictures(model: keras.Model, images: NDArray) -> NDArray:
    """Check a model and the pictures to calibrate it with; choose some of too many.

    Raises:
        ValueError: As for `quantize_int8`.
    """
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    shape = tuple(inputs[0].shape) if inputs else ()
    if len(inputs) != 1 or len(outputs) != 1 or len(shape) != 4 or None in shape[1:]:
        raise ValueError(
            "`model` must take one batch of images of a fixed size, (batch, height, width, 3), and "
            f"have one output. Received: inputs {[tuple(each.shape) for each in inputs]}, "
            f"{len(outputs)} outputs"
        )
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        raise ValueError(
            "`model` must be without batch norm, as keras_osnet.deploy.fold_batch_norm makes it. "
            f"Received: {model.name}"
        )
    images = np.asarray(images)
    types = ("uint8",) if inputs[0].dtype == "uint8" else ("uint8", "float32")
    if images.shape[1:] != shape[1:] or images.dtype not in types:
        raise ValueError(
            f"`images` must be (n, {', '.join(map(str, shape[1:]))}) of {' or '.join(types)}, "
            f"which {model.name} takes. Received: shape {images.shape}, {images.dtype}"
        )
    check_count("images", len(images), stacklevel=3)
    if not np.isfinite(images).all():
        raise ValueError("`images` must be finite. Received: NaN or infinity among them")
    if (images == images[:, :1, :1]).all():
        raise ValueError(
            "`images` must be pictures, from which ranges can be told. Received: "
            f"{len(images)} pictures of one colour each"
        )
    return images if len(images) <= MOST else images[evenly_spaced(len(images), MOST)]
