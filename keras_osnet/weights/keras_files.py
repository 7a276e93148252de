"""Keras's own files: `.weights.h5`, and `.keras`, a ZIP archive of a configuration and an HDF5.

They are examined before anything is built from them or read by Keras.
"""

import io
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras

from keras_osnet._utils.files import parse_json, read_bytes
from keras_osnet._utils.save_with_keras import FileInMemory
from keras_osnet.architecture.configuration import Configuration
from keras_osnet.architecture.model import OSNetModel
from keras_osnet.layers.cosine_classifier import CosineClassifier
from keras_osnet.layers.gem import GeM
from keras_osnet.weights.convert import (
    warn_fresh,
    warn_not_finite,
    why_classifier_differs,
)
from keras_osnet.weights.file_formats import LARGEST_FILE
from keras_osnet.weights.h5_reader import EXPANSION, checked_hdf5

_HEAD = ("pooled", "fc", "fc_norm", "neck", "logits")

_NORM, _GEM, _COSINE = "batch_norm", "ge_m", "cosine_classifier"
"""Names of a head's `BatchNorm`, `GeM` and `CosineClassifier` in a file of Keras."""

_CONFIGURATION, _WEIGHTS = "config.json", "model.weights.h5"
_CONFIGURATION_LIMIT = 16 << 20
_SMALL = 1 << 16
"""Number up to which one in a configuration is not held against the shapes of the weights."""


def load_keras_model(path: str | os.PathLike[str]) -> keras.Model:
    """Load a `.keras` file of any model, whatever its name, without compiling it.

    Raises:
        ValueError: The file is damaged, Keras cannot load it, or its configuration does not belong
            to its weights.
        OSError: It cannot be read.
    """
    content = read_bytes(path, LARGEST_FILE)
    try:
        members = _members(content)
        configuration = parse_json(members[_CONFIGURATION], _CONFIGURATION)
        members[_WEIGHTS] = checked_hdf5(members[_WEIGHTS])
        shapes = _shapes_in(members[_WEIGHTS])
        if configuration.get("registered_name") == f"keras_osnet>{OSNetModel.__name__}":
            _check_network(configuration["config"], shapes)
        # Not those of the training, which can be large and are not used.
        configuration.pop("compile_config", None)
        largest = max(max(shape, default=0) for shape in [(_SMALL,), *shapes.values()])
        _check_numbers(configuration, largest)
        with tempfile.TemporaryDirectory(prefix="keras-osnet-") as folder:
            checked = Path(folder, "model.keras")
            with zipfile.ZipFile(checked, "w") as archive:
                for name, member in members.items():
                    archive.writestr(name, member)
            return keras.saving.load_model(checked, compile=False)
    except Exception as error:  # Keras and zipfile raise errors of any class
        raise ValueError(f"{path} cannot be loaded by Keras: {str(error)[:2000]}") from error


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
            self._content = checked_hdf5(read_bytes(path, LARGEST_FILE))
        except ValueError as error:
            raise ValueError(
                f"{self._path} does not hold weights that Keras saved: {error}"
            ) from error
        layers = {
            name.removeprefix("layers/"): shape
            for name, shape in _shapes_in(self._content).items()
            if name.startswith("layers/")
        }
        # The embedding's batch norm has four variables; that of a neck has no shift.
        has_dense_embedding = f"{_NORM}/vars/3" in layers
        norms = {name.split("/")[0] for name in layers if name.startswith(_NORM)}
        dense = "dense_1" if has_dense_embedding else "dense"
        self._is_cosine = f"{_COSINE}/vars/0" in layers
        self._has_bias = f"{dense}/vars/1" in layers
        self._has_neck = len(norms) > has_dense_embedding
        self._has_gem = f"{_GEM}/vars/0" in layers
        self._kernel = kernel = layers.get(f"{_COSINE if self._is_cosine else dense}/vars/0")
        if not layers or (kernel is not None and (len(kernel) != 2 or 0 in kernel)):
            raise ValueError(
                f"{self._path} does not hold weights that Keras saved. "
                f"Received: {len(layers)} variables, with a classifier of shape {kernel}"
            )
        self.classes = None if kernel is None else kernel[1]
        # The head alone has dense layers at the top level.
        heads = ("dense", _NORM, _GEM, _COSINE)
        self._backbone = sum(not name.startswith(heads) for name in layers)

    def check(self, configuration: Configuration) -> None:
        """Raise ValueError for a classifier that is not that of a network, before it is built."""
        features = configuration.feature_dim or configuration.channels[-1]
        if self._kernel and self._kernel[0] != features:
            raise ValueError(
                f"{self._path} does not fit {configuration.name}: its classifier must be of shape "
                f"({features}, classes). Received: {self._kernel}"
            )

    def load_into(self, model: keras.Model) -> None:
        """Set the variables of a new model as `model.load_weights` does.

        A classifier that is missing or of another size leaves the model's own, with a warning.
        """
        logits = [layer for layer in model.layers if layer.name == "logits"]
        own = logits[0].output.shape[-1] if logits else None
        backbone = sum(len(layer.variables) for layer in model.layers if layer.name not in _HEAD)
        if backbone != self._backbone:
            raise ValueError(
                f"{self._path} does not fit {model.name}: below the head it holds "
                f"{self._backbone} variables, the model {backbone}"
            )
        self._check_head(model)
        difference = why_classifier_differs(self.classes, own)
        if logits and not difference:
            layer = logits[0]
            kind = (isinstance(layer, CosineClassifier), bool(getattr(layer, "use_bias", False)))
            if kind != (self._is_cosine, self._has_bias):
                difference = "the classifiers of the file and of the model are of other kinds"
        target = model
        if own is not None and difference:
            # The same layers without the classifier: Keras loads all of a model or fails.
            target = keras.Model(model.input, model.get_layer("embedding").output)
        try:
            target.load_weights(FileInMemory(".weights.h5", self._content))
        except Exception as error:
            raise ValueError(f"{self._path} does not fit {model.name}: {error}") from error
        if own is not None and difference:
            warn_fresh(model.name, {"classifier": difference})
        warn_not_finite(target)

    def _check_head(self, model: keras.Model) -> None:
        """Raise ValueError for a neck or GeM on one side only: Keras loads all of a model."""
        layers = {layer.name: layer for layer in model.layers}
        if not layers.keys() & {"embedding", "features"}:
            return
        for argument, stored, own in (
            ('neck="bn"', self._has_neck, "neck" in layers),
            ('pooling="gem"', self._has_gem, isinstance(layers.get("pooled"), GeM)),
        ):
            if stored != own:
                where = "file has" if stored else "model has"
                raise ValueError(
                    f"{self._path} does not fit {model.name}: only the {where} {argument}, and a "
                    ".weights.h5 is loaded whole. `keras-osnet convert` makes it a file of which "
                    "parts can be loaded"
                )


def _members(content: bytes) -> dict[str, bytes]:
    """Return the entries of an archive by name, if it can hold them."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > EXPANSION * len(content):
            raise ValueError(f"its entries are larger than {EXPANSION} times the file")
        if archive.getinfo(_CONFIGURATION).file_size > _CONFIGURATION_LIMIT:
            raise ValueError(f"{_CONFIGURATION} is larger than {_CONFIGURATION_LIMIT:,} bytes")
        return {name: archive.read(name) for name in archive.namelist()}


def _shapes_in(content: bytes) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays in an HDF5 file that has been checked."""
    shapes = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            shapes[name] = item.shape

    with h5py.File(io.BytesIO(content), "r") as file:
        file.visititems(visit)
    return shapes


def _check_network(config: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise ValueError if an OSNet's configuration gives more than the weights beside it."""
    names = [name for name in Configuration.names() if name in config]
    configuration = Configuration(**{name: config[name] for name in names})
    stem = shapes.get("layers/conv_norm2d/convolution/vars/0", ())
    if configuration.channels[0] not in stem[-1:]:
        raise ValueError(f"`width` is {configuration.width}, and the stem's kernel {stem}")
    blocks = {name.split("/")[1] for name in shapes if name.startswith("layers/omni_scale_block")}
    if configuration.outputs is None and len(blocks) != sum(configuration.depths):
        raise ValueError(
            f"`depths` is {configuration.depths}, and {len(blocks)} blocks have weights"
        )


def _check_numbers(value: Any, largest: int, name: str = "") -> None:
    """Raise ValueError for whole numbers in a configuration that no weights correspond to."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in ("seed", "shared_object_id"):  # numbers of any size
                _check_numbers(item, largest, key)
    elif isinstance(value, list):
        for item in value:
            _check_numbers(item, largest, name)
    elif isinstance(value, int) and abs(value) > largest:
        raise ValueError(f"`{name}` is {value}, and the sides of its weights are {largest} at most")
