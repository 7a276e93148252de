"""Which OSNet a state dict belongs to, read off its names and shapes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_osnet.architecture.configuration import CHANNELS

_STEM = "conv1.conv.weight"


def architecture_of(tensors: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """Return the arguments of `keras_osnet.OSNet` that build the reference network of a state dict.

    Args:
        tensors: Arrays under plain torchreid names.

    Returns:
        `width`, `variant`, `feature_dim` and `classes` (None without a classifier); or None if the
        tensors are not an OSNet's.
    """
    stem = tensors.get(_STEM)
    if stem is None or stem.ndim != 4:
        return None
    if "pool2.0.conv.weight" in tensors:
        variant = "ain"
    elif "conv2.0.IN.weight" in tensors:
        variant = "ibn"
    else:
        variant = "base"
    fc = tensors.get("fc.0.weight")
    return {
        "width": stem.shape[0] / CHANNELS[0],
        "variant": variant,
        "feature_dim": None if fc is None else fc.shape[0],
        "classes": classes_in(tensors),
    }


def classes_in(tensors: Mapping[str, np.ndarray]) -> int | None:
    """Return the number of rows of the classifier, None if there is none."""
    classifier = tensors.get("classifier.weight")
    return None if classifier is None else classifier.shape[0]


def describe_tensors(tensors: Mapping[str, np.ndarray]) -> str:
    """Say in words what a state dict holds, for error messages."""
    architecture = architecture_of(tensors)
    if architecture is None:
        return "tensors that are not an OSNet's"
    return (
        f"the tensors of an OSNet with width={architecture['width']:g}, "
        f"variant={architecture['variant']!r}"
    )
