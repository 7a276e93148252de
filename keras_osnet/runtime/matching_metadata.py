"""What a file says of itself beside what the engine finds in it."""

from pathlib import Path

from keras_osnet._utils.checks import check_image_size
from keras_osnet.runtime.engines.engine import Engine
from keras_osnet.runtime.metadata import ModelMetadata

_TAKES = {"pixels": True, "normalized": False}

_TYPES = ("uint8", "int8", "float16", "float32")


def effective_description(
    file: Path, engine: Engine, stored: ModelMetadata | None, takes: str | None
) -> ModelMetadata:
    """Return the description to go by: the file's own, or what the user says and the engine sees.

    Args:
        file: The model's file, for messages.
        engine: It, loaded.
        stored: What the file says of itself, if anything.
        takes: "pixels", "normalized" or None, as `Embedder` has it.

    Raises:
        ValueError: The model does not turn RGB images into embeddings, the description is that of
            another model, or nobody says what the input is.
    """
    if takes is not None and takes not in _TAKES:
        raise ValueError(f"`takes` must be one of {tuple(_TAKES)} or None. Received: {takes!r}")
    _check_tensors(file, engine, stored)
    batch, height, width, _ = engine.input_shape
    if stored is None:
        if takes is None:
            raise ValueError(
                "The file does not say what its input is, as it was not written by keras-osnet or "
                'was cut off; say it with takes="pixels" (RGB 0–255, such as a model with '
                'include_preprocessing=True takes) or takes="normalized" (by preprocess_input). '
                f"Received: {file}"
            )
        dim = engine.output_shape[1]
        if dim is None:
            raise ValueError(
                "The model must have embeddings of a fixed length. "
                f"Received: output of shape {engine.output_shape} in {file}"
            )
        return ModelMetadata(
            name=file.stem,
            dim=dim,
            image_size=(height, width),
            input_dtype="uint8" if engine.input_dtype == "uint8" and _TAKES[takes] else "float32",
            batch=batch,
            normalized_inside=_TAKES[takes],
        )
    if takes is not None and _TAKES[takes] != stored.normalized_inside:
        raise ValueError(
            "`takes` contradicts what the file says of itself; leave it out. "
            f"Received: {takes!r}, a model with normalized_inside={stored.normalized_inside}"
        )
    agrees = all(
        found in (None, said)
        for found, said in zip(
            (batch, height, width, engine.output_shape[1]),
            (stored.batch, *stored.image_size, stored.dim),
            strict=True,
        )
    )
    if not agrees:
        raise ValueError(
            f"The file's description is that of another model: batch {stored.batch}, size "
            f"{stored.image_size}, dim {stored.dim}. Received: input {engine.input_shape}, output "
            f"{engine.output_shape} in {file}"
        )
    return stored


def resolve_image_size(
    description: ModelMetadata, image_size: tuple[int, int] | None, file: Path
) -> tuple[int, int]:
    """Return the (height, width) that images are resized to, or raise ValueError."""
    if image_size is not None:
        check_image_size(image_size)
    wanted = description.image_size if image_size is None else tuple(image_size)
    fits = all(
        own in (None, asked) for own, asked in zip(description.image_size, wanted, strict=True)
    )
    height, width = wanted
    if height is None or width is None or not fits:
        raise ValueError(
            "`image_size` must be given for a model that takes images of any size, and agree with "
            f"one that does not. Received: image_size={image_size}, model of images "
            f"{description.image_size} in {file}"
        )
    return height, width


def _check_tensors(file: Path, engine: Engine, stored: ModelMetadata | None) -> None:
    if stored is not None and stored.output_kind != "embedding":
        raise ValueError(
            "The model must give embeddings, and its task is another. "
            f"Received: {stored.output_kind} of {stored.dim} in {file}"
        )
    shape, dtype = engine.input_shape, engine.input_dtype
    if len(shape) != 4 or shape[3] not in (3, None) or dtype not in _TYPES:
        raise ValueError(
            "The model must take RGB images (batch, height, width, 3), channels last, of "
            f"{', '.join(_TYPES)}. Received: input of shape {shape} and type {dtype} in {file}"
        )
    if len(engine.output_shape) != 2:
        raise ValueError(
            "The model must give embeddings, one vector (batch, dim) an image. "
            f"Received: output of shape {engine.output_shape} in {file}"
        )
