"""Evaluate image classification: top-1 and top-5 error."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from keras_osnet._utils.checks import check_image_size, positive_integer
from keras_osnet.data import LabeledImages
from keras_osnet.data.load_images import ImageSource
from keras_osnet.data.transforms import CenterCrop
from keras_osnet.evaluation.embed import check_finite, checked_models, preparation

_TOP = 5


@dataclass(frozen=True)
class ClassificationResult:
    """Error rates of a classifier.

    Attributes:
        error: Top-1 error, 0–1: share of the images whose class is not predicted first.
        top_5_error: Top-5 error, 0–1; NaN if there are at most five classes.
        images: Number of images.
    """

    error: float
    top_5_error: float
    images: int


def evaluate_classification(
    model: keras.Model | Sequence[keras.Model],
    images: LabeledImages,
    *,
    resize: tuple[int, int] | None = None,
    batch_size: int = 100,
) -> ClassificationResult:
    """Classify images and measure the error.

    Args:
        model: A model with predictions (batch, classes), with or without `include_preprocessing`;
            or several, whose predictions are averaged.
        images: The images and their classes.
        resize: (height, width) that images are resized to before the center is cropped at the
            model's size: (256, 256) for ImageNet. The model's size if None.
        batch_size: Number of images per batch.

    Raises:
        ValueError: If there are no images, or a label has no prediction.
        ImageReadError: If a file cannot be read.

    Example:
        >>> import keras_osnet
        >>> model = keras_osnet.OSNet(0.25, stem="cifar", input_shape=(32, 32, 3), classes=3)
        >>> images = LabeledImages(np.zeros((4, 32, 32, 3), "uint8"), np.zeros(4, "int64"))
        >>> evaluate_classification(model, images).images
        4
    """
    models = checked_models(model)
    if resize is not None:
        check_image_size(resize, "resize")
    if not isinstance(images, LabeledImages):
        raise ValueError(
            "`images` must be `LabeledImages`, such as a part of a dataset of `read_dataset`. "
            f"Received: {type(images).__name__}"
        )
    count = len(images.labels)
    if count != len(images.images):
        raise ValueError(
            "`images` must have a label for each. "
            f"Received: {len(images.images)} images, {count} labels"
        )
    if count == 0:
        raise ValueError("`images` must hold at least one image. Received: none")
    size = models[0].input_shape[1:3]
    classes = {each.output_shape[-1] for each in models}
    lowest, highest = int(np.min(images.labels)), int(np.max(images.labels))
    if len(classes) != 1 or lowest < 0 or highest >= max(classes):
        raise ValueError(
            "`model` must predict all classes of the images. Received: predictions of "
            f"{sorted(classes)} classes, labels from {lowest} to {highest}"
        )
    source, crop = ImageSource(images.images, resize or size), CenterCrop(size)
    prepare = preparation(models[0])
    wrong = wrong_of_five = 0
    for start in range(0, count, positive_integer("batch_size", batch_size)):
        labels = images.labels[start : start + batch_size]
        batch = prepare(
            np.stack([crop(source.read(start + place)) for place in range(len(labels))])
        )
        of_models = [np.asarray(each.predict_on_batch(batch)) for each in models]
        for each, outputs in zip(models, of_models, strict=True):
            check_finite(each, outputs, [f"image {start + place}" for place in range(len(labels))])
        scores = np.mean(of_models, axis=0)
        right = np.argsort(-scores, axis=1, kind="stable")[:, :_TOP] == labels[:, None]
        wrong += int(np.count_nonzero(~right[:, 0]))
        wrong_of_five += int(np.count_nonzero(~right.any(axis=1)))
    return ClassificationResult(
        error=wrong / count,
        top_5_error=wrong_of_five / count if max(classes) > _TOP else float("nan"),
        images=count,
    )
