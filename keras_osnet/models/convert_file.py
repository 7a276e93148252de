"""Convert weights between file formats."""

import os
from dataclasses import dataclass
from pathlib import Path

import keras

from keras_osnet._utils.checks import path_of
from keras_osnet._utils.save_with_keras import save_with_keras
from keras_osnet.models.load_model import open_checkpoint
from keras_osnet.weights.convert import ConversionReport, to_torchreid
from keras_osnet.weights.file_formats import KERAS, KERAS_H5, SAFETENSORS, destination_format
from keras_osnet.weights.safetensors import save_safetensors
from keras_osnet.weights.torch_file.writer import write_torch_checkpoint


@dataclass(frozen=True)
class ConvertedFile:
    """Result of a conversion.

    Attributes:
        path: The file that was written.
        architecture: The network it holds, such as `osnet_x0_25`.
        classes: Rows of its classifier, None without one.
        report: Report of loaded and skipped tensors; None for a `.weights.h5`.
    """

    path: Path
    architecture: str
    classes: int | None
    report: ConversionReport | None


def convert_file(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    width: float | None = None,
    variant: str | None = None,
    key: str | None = None,
    head: str | None = None,
    include_preprocessing: bool = False,
    overwrite: bool = False,
) -> ConvertedFile:
    """Convert weights to the format that the destination's ending names.

    Weights are loaded into a network first, so that a file of an incomplete OSNet is refused.
    Numbers become float32, and torch's batch counts, which Keras does not keep, 0.

    Args:
        source: A tag, a local file or an `hf://` reference; see `keras_osnet.load_model`.
        destination: `.pth`, `.pyth` or `.pt`, a state dict; `.pth.tar`, one in a dictionary under
            "state_dict", as torchreid saves its training; `.safetensors`, the same names;
            `.keras`, a whole model; or `.weights.h5`, Keras's weights of one. Replaced
            atomically.
        width: Width multiplier of the source, if it is a tag or a `.weights.h5`.
        variant: Variant of the source, likewise.
        key: Where the network is, in a source of several; see
            `keras_osnet.weights.load_torchreid`.
        head: `"embedding"` leaves a classifier out, `"classification"` insists on one. None keeps
            the source's.
        include_preprocessing: Make a `.keras` model take RGB 0–255.
        overwrite: Whether a destination that exists may be replaced.

    Raises:
        ValueError: An argument is wrong, or the source is not an OSNet's.
        FileExistsError: The destination exists.
        OSError: A file cannot be read, downloaded or written.
    """
    target = path_of("destination", destination)
    _check_destination(target, include_preprocessing, overwrite)
    checkpoint = open_checkpoint(source, width=width, variant=variant, key=key)
    model, report = checkpoint.build(head=head, include_preprocessing=include_preprocessing)
    _write(model, target)
    has_classifier = any(layer.name == "logits" for layer in model.layers)
    return ConvertedFile(
        path=target,
        architecture=checkpoint.architecture,
        classes=checkpoint.classes if has_classifier else None,
        report=report,
    )


def _check_destination(target: Path, include_preprocessing: bool, overwrite: bool) -> None:
    """Raise before the conversion if the destination cannot be written."""
    kind = destination_format(target)
    if include_preprocessing and kind != KERAS:
        raise ValueError(
            "`include_preprocessing` needs a .keras destination: the other formats hold weights "
            f"only. Received: {target}"
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"`destination` must be in a folder that exists. Received: {target}"
        )
    if target.is_dir():
        raise IsADirectoryError(f"`destination` must be a file. Received the folder: {target}")
    if target.exists() and not overwrite:
        raise FileExistsError(
            f"`destination` exists, and `overwrite` is not set. Received: {target}"
        )


def _write(model: keras.Model, target: Path) -> None:
    kind = destination_format(target)
    if kind == SAFETENSORS:
        save_safetensors(model, target)
    elif kind in (KERAS, KERAS_H5):
        save_with_keras(model, target)
    else:
        wrapper = "state_dict" if target.name.endswith(".pth.tar") else None
        write_torch_checkpoint(target, to_torchreid(model), wrapper=wrapper)
