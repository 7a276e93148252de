"""Find, download and read the weights that a user names by a tag, a path or the Hub."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_osnet._utils.checks import expanded, path_of
from keras_osnet._utils.files import check_regular
from keras_osnet.architecture.configuration import Configuration
from keras_osnet.architecture.describe import describe
from keras_osnet.architecture.naming import architecture_of, classes_in
from keras_osnet.weights.catalogue import bundled_file, find_weights, is_tag, list_weights
from keras_osnet.weights.convert import ConversionReport, load_state_dict, to_torchreid
from keras_osnet.weights.file_formats import (
    KERAS,
    KERAS_H5,
    SAFETENSORS,
    TORCH,
    file_format,
    is_weights_name,
)
from keras_osnet.weights.hub import download, resolve_hub_reference
from keras_osnet.weights.keras_files import KerasH5Source, load_keras_model
from keras_osnet.weights.safetensors import read_safetensors
from keras_osnet.weights.state_dict import StateDict, state_dict_of
from keras_osnet.weights.torch_file.reader import read_torch_network


class TensorSource:
    """Arrays under torchreid names, whatever kind of file they came from.

    Attributes:
        tensors: The arrays.
        place: Keys and prefix that they were found under in the file, joined with dots.
        description: The arguments of `keras_osnet.OSNet` that build their model: all of them
            where the file stores them (see `Configuration.to_dict`: `.keras`, or `.safetensors`
            of keras-osnet), else those that are inferred from the tensors.
        classes: Rows of the classifier, None without one.
    """

    def __init__(
        self, path: str | os.PathLike[str], state: StateDict, description: dict[str, Any]
    ) -> None:
        self._path = path
        self._state = state
        self.tensors = state.tensors
        self.place = state.place
        self.description = description
        self.classes = classes_in(state.tensors)

    def check(self, configuration: Configuration) -> None:
        """Do nothing: the shapes were held against each other when the file was read."""

    def load_into(self, model: keras.Model) -> ConversionReport:
        """Set the variables of a model strictly, as `load_torchreid` does."""
        try:
            return load_state_dict(model, self._state)
        except ValueError as error:
            raise ValueError(f"{os.fspath(self._path)}: {error}") from None


def load_torchreid(
    model: keras.Model,
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    key: str | None = None,
) -> ConversionReport:
    """Copy a checkpoint of torchreid, or any other file of its tensors, into a model.

    Strict: either every tensor is used or skipped for a reason and every variable is set, or an
    error is raised and nothing is set. Skipped are the batch counts of batch norm (Keras keeps
    none), an embedding or a classifier that the model does not have, and a classifier of another
    size, which is reported as a warning too; the model's own classifier then keeps its values.

    Args:
        model: A model of `keras_osnet.OSNet`, of the checkpoint's width and variant.
        source: Path of a file, as for `read_state_dict`; or a state dict, that is, names to arrays
            (or torch tensors). The network may be in a dictionary within ("state_dict", "ema", …),
            and its names may have a common prefix ("module.", "_orig_mod.", "backbone.", …).
        key: Where the network is, if the source has several: keys and prefix, joined with dots,
            or the beginning of them, such as "ema".

    Returns:
        The report of used, skipped and missing tensors.

    Raises:
        FileNotFoundError: The path leads to no file.
        ValueError: The file cannot be read (a `CheckpointError` for one of torch); there are
            several networks, or none under the key; or names or shapes differ, and the message
            lists the differences.

    Warns:
        UserWarning: The classifier was not loaded, or the weights are not finite.
    """
    if isinstance(source, (str, os.PathLike)):
        return read_state_dict(source, key=key).load_into(model)
    return load_state_dict(model, state_dict_of(source, key))


def open_weights(
    weights: str | os.PathLike[str], *, variant: str, width: float, key: str | None = None
) -> TensorSource | KerasH5Source:
    """Find and read weights: `resolve_weights`, then `read_weights`."""
    return read_weights(resolve_weights(weights, variant=variant, width=width), key)


def read_weights(
    path: str | os.PathLike[str], key: str | None = None
) -> TensorSource | KerasH5Source:
    """Read a file of weights of any kind; see `read_state_dict`."""
    if file_format(path) != KERAS_H5:
        return read_state_dict(path, key=key)
    _refuse_key(path, key)
    return KerasH5Source(path)


def _refuse_key(path: str | os.PathLike[str], key: str | None) -> None:
    if key is not None:
        raise ValueError(
            "`key` chooses among the networks of a file, and those of Keras have one only. "
            f"Received: key={key!r} for {os.fspath(path)}"
        )


def resolve_weights(weights: str | os.PathLike[str], *, variant: str, width: float | None) -> Path:
    """Return the local path of weights, downloaded and verified unless they are cached.

    Args:
        weights: A tag of the catalogue, a local file, or `"hf://owner/repo[/file][@revision]"`.
        variant: `"base"`, `"ibn"` or `"ain"`, for which a tag is looked up.
        width: Width multiplier, likewise; None takes the only one published with the tag, or 1.0.

    Raises:
        ValueError: There is no such tag or file.
        OSError: The file cannot be read or downloaded.
    """
    if isinstance(weights, str) and weights.startswith("hf://"):
        return resolve_hub_reference(weights)
    if not isinstance(weights, (str, os.PathLike)) or not os.fspath(weights):
        tags = sorted({checkpoint.tag for checkpoint in list_weights()})
        raise ValueError(
            f"`weights` must be a tag ({', '.join(tags)}), the path of a file, or "
            '"hf://owner/repo[/file][@revision]"; `keras_osnet.OSNet` builds an untrained model '
            f"without it. Received: {weights!r}"
        )
    path = expanded(weights)
    if not is_tag(weights):
        if path.is_file():
            return path
        if path.is_dir():
            raise ValueError(f"`weights` must be a file. Received the folder: {path}")
        if path.exists():
            check_regular(path)
    if is_weights_name(str(weights)) or path.name != str(weights):
        raise ValueError(f"`weights` names a file that does not exist. Received: {path}")
    checkpoint = find_weights(str(weights), variant=variant, width=width)
    if checkpoint.repository is None:
        return bundled_file(checkpoint.file, str(checkpoint.sha256))
    return download(
        checkpoint.repository,
        checkpoint.file,
        revision=checkpoint.revision,
        sha256=checkpoint.sha256,
        size=checkpoint.size,
    )


def read_state_dict(path: str | os.PathLike[str], *, key: str | None = None) -> TensorSource:
    """Read a file of weights as arrays under plain torchreid names and in torch's layout.

    The format is that of the content, whatever the name of the file.

    Args:
        path: A torch checkpoint, a `.safetensors` file or a whole `.keras` model.
        key: Where the network is, in a file of several; see `load_torchreid`.

    Raises:
        ValueError: The file is none of these, or does not hold an OSNet, or several.
    """
    kind = file_format(path_of("path", path))
    description = None
    if kind == TORCH:
        state = read_torch_network(path, key)
    elif kind == SAFETENSORS:
        state, description = read_safetensors(path, key)
    elif kind == KERAS:
        _refuse_key(path, key)
        model = load_keras_model(path)
        try:
            state, description = StateDict(to_torchreid(model)), describe(model)
        except ValueError as error:
            raise ValueError(f"{path} does not hold an OSNet: {error}") from error
    else:
        raise ValueError(
            "`path` must be a torch checkpoint, a .safetensors file or a .keras model: the "
            f"variables of a .weights.h5 file have no names. Received: {os.fspath(path)}"
        )
    try:
        inferred = architecture_of(state.tensors)
    except ValueError as error:
        raise ValueError(f"{path} does not hold an OSNet: {error}") from None
    return TensorSource(path, state, description or inferred)
