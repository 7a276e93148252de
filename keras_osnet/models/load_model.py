"""Load a model and its weights."""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from keras_osnet._utils.warn_user import warn_user
from keras_osnet.architecture.configuration import RE_ID_SIZE, Configuration, architecture_name
from keras_osnet.models.osnet import OSNet
from keras_osnet.weights.catalogue import default_image_size
from keras_osnet.weights.convert import ConversionReport, warn_not_finite
from keras_osnet.weights.file_formats import KERAS, file_format
from keras_osnet.weights.keras_files import KerasH5Source, load_keras_model
from keras_osnet.weights.sources import (
    TensorSource,
    read_weights,
    resolve_weights,
)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Weights that have been found and read, and the arguments of the OSNet that they fit.

    Attributes:
        weights: The argument `weights` of `open_checkpoint`.
        path: The local file.
        description: Arguments of `keras_osnet.OSNet`: of the whole model, where the file stores
            them (`.keras`, and `.safetensors` of keras-osnet), else those inferred from tensors.
        classes: Rows of the classifier, None without one.
        source: The weights themselves.
    """

    weights: str | os.PathLike[str]
    path: Path
    description: Mapping[str, Any]
    classes: int | None
    source: TensorSource | KerasH5Source

    @property
    def architecture(self) -> str:
        """Torchreid's name of the width and variant, such as `osnet_x0_25`."""
        return architecture_name(self.description["width"], self.description["variant"])

    @property
    def embedding_size(self) -> tuple[int, int]:
        """Height and width that images are embedded at: the file's own, else 256×128."""
        height, width = self._size("embedding")
        return height or RE_ID_SIZE[0], width or RE_ID_SIZE[1]

    def describe(self) -> dict[str, Any]:
        """Return the file's path, size, digest, network, classes and number of tensors by type.

        The tensors, such as `{"float32": 393}`, are None for a `.weights.h5`. "place" is where in
        the file the network is, empty at the top.
        """
        tensors, place = None, ""
        if isinstance(self.source, TensorSource):
            types = (array.dtype.name for array in self.source.tensors.values())
            tensors, place = dict(Counter(types).most_common()), self.source.place
        with self.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {
            "file": str(self.path),
            "size": self.path.stat().st_size,
            "sha256": digest,
            "architecture": self.architecture,
            "classes": self.classes,
            "tensors": tensors,
            "place": place,
        }

    def build(
        self,
        *,
        head: str | None = None,
        image_size: tuple[int, int] | None = None,
        normalize: bool = False,
        include_preprocessing: bool = False,
    ) -> tuple[keras.Model, ConversionReport | None]:
        """Build the network and load these weights into it.

        Args:
            head: `"embedding"`, `"classification"` or `"attribute"`. None takes the file's own,
                or where it does not store one, a classification head if it has a classifier.
            image_size: (height, width) of the images; by default of the training images.
            normalize: Scale embeddings to length 1.
            include_preprocessing: Make the model take RGB 0–255.

        Returns:
            The model and the report of loaded and skipped tensors. For a `.weights.h5`, which Keras
            itself loads, the report is None.

        Raises:
            ValueError: The weights are not those of the whole network, or have no classifier for
                a head that needs one.
        """
        if head is None:
            default = "embedding" if self.classes is None else "classification"
            head = self.description.get("head") or default
        if head != "embedding" and self.classes is None:
            raise ValueError(
                f"`head={head!r}` needs a classifier, and {self.path} has none. "
                f"Received: head={head!r}"
            )
        statistics = {
            name: self.description[name] for name in ("mean", "std") if self.description.get(name)
        }
        if statistics and not include_preprocessing:
            warn_user(
                f"{self.path} was trained with other statistics than ImageNet's: without the "
                f"preprocessing inside, normalize its images by {statistics}."
            )
        arguments = {
            name: self.description[name]
            for name in Configuration.names()
            if name in self.description
        }
        if head != self.description.get("head"):
            arguments.pop("classifier_activation", None)
        arguments |= {
            "head": head,
            "include_top": True,
            "input_shape": (*(image_size or self._size(head)), 3),
            "classes": None if head == "embedding" else self.classes,
            "normalize": normalize,
            "include_preprocessing": include_preprocessing,
            "mean": statistics.get("mean") if include_preprocessing else None,
            "std": statistics.get("std") if include_preprocessing else None,
            "outputs": None,
        }
        self.source.check(Configuration(**arguments))
        model = OSNet(**arguments)
        return model, self.source.load_into(model)

    def _size(self, head: str | None) -> tuple[int | None, int | None]:
        if "input_shape" in self.description:
            height, width, _ = self.description["input_shape"]
            return height, width
        return default_image_size(self.weights, head)


def open_checkpoint(
    weights: str | os.PathLike[str],
    *,
    width: float | None = None,
    variant: str | None = None,
    key: str | None = None,
) -> Checkpoint:
    """Find weights, download them if need be, and infer the arguments of their OSNet.

    Args:
        weights: A tag of the catalogue, a local file, or `"hf://owner/repo[/file][@revision]"`.
        width: Width multiplier. None takes the file's; for a tag, the only one it is published for,
            or 1.0.
        variant: `"base"`, `"ibn"` or `"ain"`. None takes the file's; for a tag, `"base"`.
        key: Where the network is, in a file of several; see `keras_osnet.weights.load_torchreid`.

    Raises:
        ValueError: There is no such tag or file, it does not hold an OSNet, or holds several or
            one of another width or variant; or `width` is missing for a `.weights.h5`, which does
            not store it.
        OSError: The file cannot be read or downloaded.
    """
    path = resolve_weights(weights, variant=variant or "base", width=width)
    return _open(weights, path, width, variant, key)


def _open(
    weights: str | os.PathLike[str],
    path: Path,
    width: float | None,
    variant: str | None,
    key: str | None,
) -> Checkpoint:
    source = read_weights(path, key)
    if isinstance(source, KerasH5Source):
        if width is None:
            raise ValueError(
                "`width` (and `variant`, unless it is base) must be given for a .weights.h5 file, "
                f"which does not say which network it belongs to. Received: width=None for {path}"
            )
        described = {"width": width, "variant": variant or "base"}
        return Checkpoint(weights, path, described, source.classes, source)

    found = source.description
    for argument, wanted in (("width", width), ("variant", variant)):
        if wanted is not None and wanted != found[argument]:
            raise ValueError(
                f"`{argument}` must be that of the weights or be left out: {path} holds "
                f"{argument}={found[argument]!r}. Received: {argument}={wanted!r}"
            )
    # Without an entry, the pooled features are the embedding: the model has no layer for it.
    return Checkpoint(weights, path, {"feature_dim": None, **found}, source.classes, source)


def load_model(
    weights: str | os.PathLike[str],
    *,
    width: float | None = None,
    variant: str | None = None,
    head: str | None = None,
    image_size: tuple[int, int] | None = None,
    normalize: bool | None = None,
    include_preprocessing: bool | None = None,
    key: str | None = None,
) -> keras.Model:
    """Load a model from any kind of weights: a published tag, the Hub, or a file.

    Arguments that are None are read from the file. Where it does not store them, a model has a
    classification head if the weights have a classifier, else an embedding head, and takes
    normalized images of the size that the weights were trained at.

    Args:
        weights: A tag of `keras_osnet.list_weights`; a local file (a `.keras` model, a
            `.safetensors` or `.weights.h5` file or a torch checkpoint, whatever its name); or
            `"hf://owner/repo[/file][@revision]"`.
        width: Width multiplier, needed for a `.weights.h5`, which does not store it; for a tag, the
            only one it is published for, or 1.0.
        variant: `"base"`, `"ibn"` or `"ain"`.
        head: `"classification"`, `"attribute"` or `"embedding"`.
        image_size: (height, width) of the images.
        normalize: Whether embeddings are scaled to length 1.
        include_preprocessing: Whether the model takes RGB 0–255.
        key: Where the network is, in a file of several; see `keras_osnet.weights.load_torchreid`.

    Returns:
        A model that is not compiled. A `.keras` file of any model is loaded as by Keras, unless
        another argument is given; everything else is an OSNet.

    Raises:
        ValueError: There is no such tag or file, it does not hold an OSNet, or an argument does
            not fit the weights.
        OSError: The file cannot be read or downloaded.

    Example:
        >>> import keras_osnet
        >>> keras_osnet.load_model("synthetic", width=0.25).output_shape
        (None, 512)
    """
    path = resolve_weights(weights, variant=variant or "base", width=width)
    arguments = (width, variant, head, image_size, normalize, include_preprocessing, key)
    if file_format(path) == KERAS and all(each is None for each in arguments):
        model = load_keras_model(path)
        warn_not_finite(model)
        return model
    checkpoint = _open(weights, path, width, variant, key)
    described = checkpoint.description
    if normalize is None:
        normalize = described.get("normalize", False) and head in (None, "embedding")
    if include_preprocessing is None:
        include_preprocessing = described.get("include_preprocessing", False)
    model, _ = checkpoint.build(
        head=head,
        image_size=image_size,
        normalize=normalize,
        include_preprocessing=include_preprocessing,
    )
    return model
