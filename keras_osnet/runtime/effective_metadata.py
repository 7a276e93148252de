"""What a file takes and gives: its metadata, or the user's arguments and the file's shapes."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_osnet._utils.checks import check_image_size, color_shares, one_of
from keras_osnet._utils.constants import SMALLEST_STD
from keras_osnet.runtime.engines import Engine, Shape
from keras_osnet.runtime.metadata import (
    CHANNELS,
    LAYOUTS,
    MOST_PIXELS,
    PIXEL_RANGES,
    ModelMetadata,
)
from keras_osnet.runtime.read_metadata import ModelFile, ModelFileError

_DTYPES = ("uint8", "int8", "float16", "float32")
"""Supported types of an image tensor."""

_COLORS = 3


def check_input_arguments(model: ModelFile, given: Mapping[str, Any]) -> None:
    """Check the arguments that describe a file that keras-osnet did not write.

    Args:
        model: The file.
        given: `pixel_range`, `mean`, `std`, `channels` and `layout`, as `Embedder` takes them.

    Raises:
        ValueError: An argument is not as `Embedder` says, contradicts the metadata of the file, or
            is missing.
    """
    for name, choices in (
        ("pixel_range", PIXEL_RANGES),
        ("channels", CHANNELS),
        ("layout", LAYOUTS),
    ):
        one_of(name, given[name], (None, *choices))
    for name, least in (("mean", 0.0), ("std", SMALLEST_STD)):
        if given[name] is not None:
            color_shares(name, given[name], least)
    stored = model.metadata
    if stored is not None:
        for name, value in given.items():
            own = getattr(stored, name)
            if value is not None and not np.array_equal(value, own):
                raise ValueError(
                    f"`{name}` contradicts the metadata of the file; leave it out. "
                    f"Received: {value!r}, a model with {name}={own!r}"
                )
        return
    if given["pixel_range"] is None:
        raise ValueError(
            "The file does not say what its input is, because it was not written by "
            'keras-osnet or was cut off; pass pixel_range="normalized" (as torchreid and BoxMOT '
            'do, or with preprocess_input), pixel_range="0-1" (as Ultralytics does) or '
            'pixel_range="0-255" (such as a model with include_preprocessing=True takes). '
            f"Received: {model.path}"
        )
    if (given["mean"] is None) != (given["std"] is None):
        raise ValueError(
            "`mean` and `std` must be given together. "
            f"Received: mean={given['mean']!r}, std={given['std']!r}"
        )
    if given["mean"] is not None and given["pixel_range"] != "normalized":
        raise ValueError(
            '`mean` and `std` need pixel_range="normalized". '
            f"Received: pixel_range={given['pixel_range']!r}, mean={given['mean']!r}"
        )


def effective_metadata(
    model: ModelFile,
    engine: Engine,
    image_size: tuple[int, int] | None,
    given: Mapping[str, Any],
) -> tuple[ModelMetadata, tuple[int, int]]:
    """Return the metadata to use, and the (height, width) that images are resized to.

    Args:
        model: The file.
        engine: The engine with the loaded file.
        image_size: As for `Embedder`.
        given: As `check_input_arguments` takes it, which has been called.

    Raises:
        ModelFileError: The model does not turn images into embeddings, or the metadata is that of
            another model.
        ValueError: `image_size` or `layout` is needed, or does not agree with the file.
    """
    file, stored = model.path, model.metadata
    if stored is not None and stored.output_kind != "embedding":
        raise ModelFileError(
            "The model must give embeddings, and its task is another. "
            f"Received: {stored.output_kind} of {stored.dim} in {file}"
        )
    layout = _layout(file, engine, given["layout"] if stored is None else stored.layout)
    batch, height, width = _in_nhwc(engine.input_shape, layout)[:3]
    size = _size(file, (height, width) if stored is None else stored.image_size, image_size)
    dim = _dim(file, engine, layout, size)
    if stored is not None:
        _check_agrees(file, stored, (batch, height, width, dim), engine)
        return stored, size
    pixel_range = given["pixel_range"]
    whole = engine.input_dtype == "uint8"
    if whole and pixel_range != "0-255" and engine.name != "litert":  # which quantizes its input
        raise ValueError(
            '`pixel_range` must be "0-255" for a model that takes whole numbers. '
            f"Received: {pixel_range!r}, input of type {engine.input_dtype} in {file}"
        )
    chosen: dict[str, Any] = {
        name: tuple(map(float, value)) if name in ("mean", "std") else value
        for name, value in given.items()
        if value is not None
    }
    chosen |= {
        "layout": layout,
        "dtype": "uint8" if whole and pixel_range == "0-255" else "float32",
    }
    return (
        ModelMetadata(name=file.stem, dim=dim, image_size=(height, width), batch=batch, **chosen),
        size,
    )


def _layout(file: Path, engine: Engine, layout: str | None) -> str:
    """Return the layout of the image tensor: the one that is named, or that has three colors.

    Raises:
        ModelFileError: The tensor does not hold color images.
        ValueError: Both layouts are possible, or the one that is named is not.
    """
    shape, dtype = engine.input_shape, engine.input_dtype
    possible = [
        each for each in LAYOUTS if len(shape) == 4 and _in_nhwc(shape, each)[3] in (_COLORS, None)
    ]
    if not possible or dtype not in _DTYPES:
        raise ModelFileError(
            "The model must take color images, (batch, height, width, 3) or (batch, 3, height, "
            "width), of uint8, float16 or float32, or int8 in a .tflite file. "
            f"Received: input of shape {shape} and type {dtype} in {file}"
        )
    if layout is not None and layout not in possible:
        raise ValueError(
            "`layout` must have the three colors where the model has them. "
            f"Received: {layout!r}, input of shape {shape} in {file}"
        )
    sure = [each for each in possible if _in_nhwc(shape, each)[3] == _COLORS]
    candidates = [layout] if layout is not None else sure or possible
    if len(candidates) != 1:
        raise ValueError(
            '`layout` must be given, "NHWC" or "NCHW": the shape of the model\'s input does not '
            f"tell. Received: layout=None, input of shape {shape} in {file}"
        )
    return candidates[0]


def _in_nhwc(shape: Shape, layout: str) -> Shape:
    """Return the shape of an image tensor as (batch, height, width, channels)."""
    if layout == "NHWC":
        return shape
    batch, channels, height, width = shape
    return batch, height, width, channels


def _size(
    file: Path, own: tuple[int | None, int | None], image_size: tuple[int, int] | None
) -> tuple[int, int]:
    """Return the (height, width) that images are resized to, or raise ValueError."""
    if image_size is not None:
        check_image_size(image_size)
    height, width = own if image_size is None else image_size
    if (
        height is None
        or width is None
        or not (own[0] in (None, height) and own[1] in (None, width))
    ):
        raise ValueError(
            "`image_size` must be given for a model that takes images of any size, and agree with "
            f"one that does not. Received: image_size={image_size}, model of images {own} in {file}"
        )
    if max(height, width) > MOST_PIXELS:
        raise ValueError(
            f"`image_size` must be at most {MOST_PIXELS} pixels high and wide. "
            f"Received: {(height, width)}, {file}"
        )
    return height, width


def _dim(file: Path, engine: Engine, layout: str, size: tuple[int, int]) -> int:
    """Return the length of the embeddings; a black image is run where the shape does not tell."""
    shape: Shape = engine.output_shape
    if len(shape) < 2 or None in shape[1:]:
        image = (*size, _COLORS) if layout == "NHWC" else (_COLORS, *size)
        dtype = "uint8" if engine.input_dtype == "uint8" else "float32"
        shape = engine.run(np.zeros((1, *image), dtype)).shape
    sides = [side or 0 for side in shape[1:]]
    dim = math.prod(sides)
    if not sides or dim == 0 or sum(side != 1 for side in sides) > 1:
        raise ModelFileError(
            "The model must give embeddings, one vector (batch, dim) an image. "
            f"Received: output of shape {shape} in {file}"
        )
    return dim


def _check_agrees(
    file: Path, stored: ModelMetadata, found: tuple[int | None, ...], engine: Engine
) -> None:
    """Raise ModelFileError unless (batch, height, width, dim) are those of the metadata."""
    said = (stored.batch, *stored.image_size, stored.dim)
    if any(one not in (None, other) for one, other in zip(found, said, strict=True)):
        raise ModelFileError(
            f"The file's metadata is that of another model: batch {stored.batch}, size "
            f"{stored.image_size}, dim {stored.dim}. Received: input {engine.input_shape}, output "
            f"{engine.output_shape} in {file}"
        )
