"""Evaluate attribute recognition: predict the attributes of images and compare with labels."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from keras_osnet.architecture.describe import configuration_of
from keras_osnet.data.images import ImageReadError
from keras_osnet.data.records import AttributeImages
from keras_osnet.evaluation.embed import checked_models, embed_images
from keras_osnet.metrics.attributes import (
    AttributeResult,
    check_threshold,
    evaluate_attributes,
)


@dataclass(frozen=True, eq=False)
class RecognitionResult(AttributeResult):
    """Attribute recognition metrics of a model on images of people.

    The measures are those of `keras_osnet.metrics.attributes.AttributeResult`.

    Attributes:
        positive: Array (attributes,), float64: the share of positive images of each attribute, 0
            to 1.
        images: Number of images that were read.
        unreadable: The files that could not be read and were left out, each with the reason.
    """

    positive: NDArray[np.float64]
    images: int
    unreadable: dict[Path, str]


def evaluate_attribute_model(
    model: keras.Model,
    images: AttributeImages,
    *,
    threshold: float = 0.5,
    image_size: tuple[int, int] | None = None,
    batch_size: int = 32,
    progress: Callable[[int], None] | None = None,
) -> RecognitionResult:
    """Predict the attributes of the people in images and compare them with the labels.

    Args:
        model: A model with one output (batch, attributes) of probabilities, such as
            `keras_osnet.OSNet(head="attribute", …)`. Models with and without
            `include_preprocessing` get pixels and preprocessed images, respectively.
        images: Images and labels, attributes in the order of the model's outputs; see
            `keras_osnet.data.read_dataset` and `keras_osnet.data.attributes_from_table`.
        threshold: Lowest probability at which an attribute is predicted, above 0 and at most 1.
        image_size: (height, width) that images are resized to; the model's own by default.
        batch_size: Number of images per batch.
        progress: Called after every batch with the number of files processed so far.

    Raises:
        ValueError: The model is not an attribute model or has another number of attributes, no
            image can be read, or `keras_osnet.metrics.evaluate_attributes` or `embed_images` would
            raise one.
        ImportError: Pillow is not installed.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.data import AttributeImages
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> from keras_osnet.evaluation import evaluate_attribute_model
        >>> people = write_synthetic_people(getfixture("tmp_path"), 1, views=1, image_size=(64, 32))
        >>> images = AttributeImages(tuple(one.path for one in people), np.eye(2, dtype="uint8"))
        >>> model = keras_osnet.OSNet(0.25, head="attribute", classes=2, input_shape=(64, 32, 3))
        >>> evaluate_attribute_model(model, images).positive
        array([0.5, 0.5])
    """
    check_threshold(threshold)
    if not isinstance(images, AttributeImages):
        raise ValueError(
            "`images` must be `AttributeImages`, such as a part of a dataset of `read_dataset`. "
            f"Received: {type(images).__name__}"
        )
    checked_models([model])
    _check_model(model, images.attributes.shape[1])
    if not images.paths:
        raise ValueError("`images` must hold at least one image. Received: none")
    scored = embed_images(
        model,
        images.paths,
        image_size=image_size,
        batch_size=batch_size,
        skip_unreadable=True,
        progress=progress,
    )
    if not scored.paths:
        raise ValueError(
            f"`images` has no image that can be read. Received: {len(images.paths)} images; "
            f"{ImageReadError(scored.unreadable)}"
        )
    labels = images.attributes[[path not in scored.unreadable for path in images.paths]]
    measures = evaluate_attributes(scored.vectors, labels, threshold)
    return RecognitionResult(
        **{field.name: getattr(measures, field.name) for field in fields(measures)},
        positive=labels.mean(axis=0, dtype=np.float64),
        images=len(labels),
        unreadable=scored.unreadable,
    )


def _check_model(model: keras.Model, attributes: int) -> None:
    try:
        head = configuration_of(model).head
    except ValueError:  # Not an OSNet: only its output can be checked.
        head = "attribute"
    shape = model.output_shape
    if head != "attribute" or not isinstance(shape, tuple) or len(shape) != 2:
        raise ValueError(
            "`model` must be an attribute model, with one output (batch, attributes) of "
            'probabilities, as OSNet(head="attribute") has. '
            f"Received: {model.name} with head={head!r}, output of shape {shape}"
        )
    if shape[1] != attributes:
        raise ValueError(
            "`model` must have as many attributes as the labels. "
            f"Received: {model.name} with {shape[1]} attributes, labels of {attributes}"
        )
