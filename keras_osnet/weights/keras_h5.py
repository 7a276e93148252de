"""Keras's own `.weights.h5` files."""

import os

import h5py
import keras

from keras_osnet.weights.convert import warn_fresh_classifier, why_classifier_differs
from keras_osnet.weights.file_formats import with_ending

_HEAD = ("fc", "fc_norm", "logits")

_NORM = "batch_norm"
"""Name of the embedding's `BatchNorm` in a file of Keras."""


class KerasH5Source:
    """A `.weights.h5` file: variables by class of layer, numbered in the network's order.

    The first dense layer is thus the embedding's, which has a batch norm beside it, and the next
    one the classifier.

    Attributes:
        classes: Rows of the classifier, None without one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        try:
            with h5py.File(self._path, "r") as file:
                layers = file["layers"]
                kernel = f"{'dense_1' if _NORM in layers else 'dense'}/vars/0"
                self.classes = layers[kernel].shape[1] if kernel in layers else None
                self._backbone = _count_backbone(layers)
        except (OSError, KeyError) as error:
            raise ValueError(
                f"{self._path} does not hold weights that Keras saved: {error}"
            ) from error

    def load_into(self, model: keras.Model) -> None:
        """Set the variables of a new model as `model.load_weights` does.

        A classifier that is missing or of another size leaves the model's own, with a warning.
        """
        logits = [layer for layer in model.layers if layer.name == "logits"]
        own = logits[0].units if logits else None
        backbone = sum(len(layer.variables) for layer in model.layers if layer.name not in _HEAD)
        if backbone != self._backbone:
            raise ValueError(
                f"{self._path} does not fit {model.name}: below the head it holds "
                f"{self._backbone} variables, the model {backbone}"
            )
        difference = why_classifier_differs(self.classes, own)
        target = model
        if own is not None and difference:
            # The same layers without the classifier: Keras loads all of a model or fails.
            target = keras.Model(model.input, model.get_layer("embedding").output)
        try:
            with with_ending(self._path, ".weights.h5") as path:
                target.load_weights(path)
        except ValueError as error:
            raise ValueError(f"{self._path} does not fit {model.name}: {error}") from error
        if own is not None and difference:
            warn_fresh_classifier(model.name, difference)


def _count_backbone(layers: h5py.Group) -> int:
    """Count the variables outside of the head, which alone has dense layers at the top level."""
    names: list[str] = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith(("dense", _NORM)):
            names.append(name)

    layers.visititems(visit)
    return len(names)
