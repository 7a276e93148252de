"""Keras's own `.weights.h5` files."""

import os

import h5py
import keras

from keras_osnet.weights.fresh_classifier import warn_fresh_classifier, why_classifier_differs


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
                kernel = f"{'dense_1' if 'batch_normalization' in layers else 'dense'}/vars/0"
                self.classes = layers[kernel].shape[1] if kernel in layers else None
                self._count = _count_variables(layers)
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
        difference = why_classifier_differs(self.classes, own)
        target, count = model, self._count
        if self.classes is not None and difference:
            count -= 2  # kernel and bias
        if own is not None and difference:
            # The same layers without the classifier: Keras loads all of a model or fails.
            target = keras.Model(model.inputs, model.get_layer("embedding").output)
        if count != len(target.variables):
            raise ValueError(
                f"{self._path} does not fit {model.name}: it holds {count} variables (but for the "
                f"classifier's), the model {len(target.variables)}"
            )
        try:
            target.load_weights(self._path)
        except ValueError as error:
            raise ValueError(f"{self._path} does not fit {model.name}: {error}") from error
        if own is not None and difference:
            warn_fresh_classifier(model.name, difference)


def _count_variables(group: h5py.Group) -> int:
    datasets: list[str] = []
    group.visititems(
        lambda name, item: datasets.append(name) if isinstance(item, h5py.Dataset) else None
    )
    return len(datasets)
