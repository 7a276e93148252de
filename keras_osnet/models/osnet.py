"""The public constructor of every OSNet."""

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_osnet._utils.checks import one_of, positive_integer
from keras_osnet._utils.constants import MEAN, STD
from keras_osnet.architecture import PromptModel, heads
from keras_osnet.architecture.backbone import backbone
from keras_osnet.architecture.configuration import Configuration
from keras_osnet.architecture.inputs import image_input
from keras_osnet.architecture.preprocessing import preprocessing_layer
from keras_osnet.layers import aggregation_gate
from keras_osnet.weights import open_weights
from keras_osnet.weights.catalogue import default_image_size

_DEFAULT_CLASSES = {"classification": 1000, "attribute": 26}
"""ImageNet's classes and PA-100K's attributes, on which the paper trained these heads."""


def OSNet(  # noqa: N802 - a constructor in all but name, as in keras.applications
    width: float = 1.0,
    *,
    variant: str = "base",
    head: str | None = None,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_shape: Sequence[int | None] | None = None,
    input_tensor: Any = None,
    classes: int | None = None,
    pooling: str | None = None,
    classifier_activation: Any = "softmax",
    feature_dim: int | None = 512,
    normalize: bool = False,
    include_preprocessing: bool = False,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    outputs: Sequence[str] | None = None,
    depths: Sequence[int] = (2, 2, 2),
    streams: int | Sequence[int] = 4,
    fusion: str = "unified",
    convolution: str = "lite",
    stem: str = "imagenet",
    name: str | None = None,
) -> keras.Model:
    """Build an OSNet (Zhou et al., ICCV 2019; OSNet-AIN: TPAMI 2021) as a functional Keras model.

    Arguments that keras.applications has mean what they mean there. It differs in this:
    `classes=None` takes the checkpoint's own count; another count than the checkpoint's gets a
    fresh classifier and a warning, not an error; the default input is 256×128 pixels, but for
    `weights="imagenet"` with its classifier, which is 224×224, and for `"synthetic"`, 128×64.

    Args:
        width: Multiplier of all channels: 1.0, 0.75, 0.5 or 0.25 have published weights; any
            multiple of 1/32 from 0.25 up can be built.
        variant: `"base"`; `"ibn"`, instance norm in the stem and after the blocks of conv2; or
            `"ain"`, instance norm in the stem and inside chosen residuals.
        head: `"classification"` (the default; identities or classes), `"attribute"` (independent
            sigmoids) or `"embedding"`.
        include_top: False leaves the head out: the result is the last maps, or pooled features if
            `pooling` is set.
        weights: None for the reference's random initial values; a tag such as `"imagenet"` or
            `"market1501"` (see `keras_osnet.list_weights`), which is downloaded, or
            `"synthetic"` and `"synthetic_attributes"`, which come with the package; a local file
            (`.pth`, `.pth.tar`, `.pyth`, `.pt`, `.safetensors`, `.weights.h5`, `.keras`); or
            `"hf://owner/repo[/file][@revision]"`.
        input_shape: (height, width, 3); None in place of a size leaves it open.
        input_tensor: Keras tensor (batch, height, width, 3) to build the model on.
        classes: Number of classes, identities or attributes. None takes the checkpoint's count,
            or without one 1000 classes, 26 attributes (PA-100K).
        pooling: `"avg"` or `"max"`, over the whole last maps. None is `"avg"` under a head.
        classifier_activation: Activation on top of a classification head, None for logits. An
            attribute head has `"sigmoid"` in place of the default.
        feature_dim: Length of the embedding. None takes the pooled features as they are.
        normalize: Scale the embedding to length 1 (`head="embedding"` only).
        include_preprocessing: Put `preprocess_input` inside, so that the model takes RGB 0–255.
        mean: Of red, green and blue in 0–1, in place of ImageNet's, for `include_preprocessing`:
            a network trained with the statistics of its own dataset (supplement, Table 12a; see
            `keras_osnet.data.pixel_statistics`) takes no others.
        std: Their standard deviations, above 0; given with `mean`.
        outputs: Names of intermediates to return in place of the head's result, as a dict: the
            stages `conv1`, `maxpool`, `conv2`, `transition2`, `conv3`, `transition3`, `conv4`,
            `conv5`; the blocks `conv2_block1`, …; their gating vectors `conv2_block1_gates`, …
            (batch, streams, channels); `pooled`, `embedding`, `normalized`, `logits`,
            `predictions`.
        depths: Omni-scale blocks in conv2, conv3 and conv4.
        streams: T, for streams of 1 to T 3×3 layers in each block, or the depth of each stream.
        fusion: `"unified"` (the paper's gate), `"separate"`, `"streamwise"`, `"fixed"`,
            `"addition"` or `"concatenation"` (Table 5; see `keras_osnet.layers.OmniScaleBlock`).
        convolution: `"lite"`, or `"full"` for standard 3×3 convolutions in the streams.
        stem: `"imagenet"`, or `"cifar"` for images of 32×32: 3×3 at stride 1 and no max-pool.
        name: Name of the model, the reference's (`osnet_x1_0`) if None.

    Returns:
        A functional model of float images (batch, height, width, 3), RGB, normalized by
        `preprocess_input` (0–255 of any type with `include_preprocessing=True`), with the output

        | head | output |
        | --- | --- |
        | classification | (batch, classes) float32 |
        | attribute | (batch, classes) float32, 0–1 |
        | embedding | (batch, feature_dim) float32 |
        | `include_top=False` | (batch, height / 16, width / 16, channels) |
        | `include_top=False, pooling=…` | (batch, channels) |

    Raises:
        ValueError: An argument is wrong, or the weights do not fit; the message names it.
        OSError: The weights cannot be read or downloaded.

    Example:
        >>> import keras_osnet
        >>> model = keras_osnet.OSNet(width=0.25, head="embedding")
        >>> model.output_shape
        (None, 512)
        >>> maps = keras_osnet.OSNet(0.25, outputs=["conv2", "conv4_block2_gates"])
        >>> {name: tensor.shape for name, tensor in maps.output.items()}
        {'conv2': (None, 64, 32, 64), 'conv4_block2_gates': (None, 4, 32)}
    """
    configuration = Configuration.checked(
        width, variant, depths, streams, fusion, convolution, stem
    )
    head = _checked_head(head, include_top, normalize)
    one_of("pooling", pooling, (None, *heads.POOLINGS))
    if feature_dim is not None:
        feature_dim = positive_integer("feature_dim", feature_dim)
    if classes is not None:
        classes = positive_integer("classes", classes)
    if weights is not None and head == "classification":
        one_of("classifier_activation", classifier_activation, ("softmax", None))
    statistics = _checked_statistics(mean, std, include_preprocessing)
    source = None
    if weights is not None:
        source = open_weights(weights, variant=variant, width=configuration.width)
    inputs, image = image_input(
        input_shape,
        input_tensor,
        default_size=default_image_size(weights, head),
        min_size=configuration.downscaling,
        rgb=_reason_for_rgb(weights, include_preprocessing),
    )

    if include_preprocessing:
        image = preprocessing_layer(*statistics)(image)
    has_gates = fusion in aggregation_gate.KINDS
    wants_gates = any(str(output).endswith("_gates") for output in outputs or ())
    named = backbone(image, configuration, gates=has_gates and wants_gates)
    result = named["conv5"]
    if head or pooling:
        result = named["pooled"] = heads.pooled(result, pooling or "avg")
    if head:
        result = named["embedding"] = heads.embedding(result, feature_dim)
    if normalize:
        result = named["normalized"] = heads.normalized(result)
    if head in _DEFAULT_CLASSES:
        if head == "attribute" and classifier_activation == "softmax":
            classifier_activation = "sigmoid"
        classes = classes or (source and source.classes) or _DEFAULT_CLASSES[head]
        named["logits"], result = heads.classifier(result, classes, classifier_activation)
        named["predictions"] = result

    name = name or configuration.name
    model = PromptModel(inputs, result, name=name)
    if source is not None:
        source.load_into(model)
    if outputs is None:
        return model
    return PromptModel(inputs, _chosen(named, outputs), name=name)


def _checked_head(head: str | None, include_top: bool, normalize: bool) -> str | None:
    one_of("head", head, (None, *heads.HEADS))
    if not include_top and head is not None:
        raise ValueError(
            "`include_top=False` leaves the head out, so `head` must not be given. "
            f"Received: include_top=False, head={head!r}"
        )
    if include_top and head is None:
        head = "classification"
    if normalize and head != "embedding":
        raise ValueError(
            '`normalize=True` scales an embedding, so it needs `head="embedding"`. '
            f"Received: include_top={include_top}, head={head!r}"
        )
    return head


def _checked_statistics(mean: Any, std: Any, include_preprocessing: bool) -> tuple[Any, Any]:
    """Mean and standard deviation that preprocessing inside the model goes by."""
    if mean is None and std is None:
        return MEAN, STD
    if not include_preprocessing:
        raise ValueError(
            "`mean` and `std` are those of the preprocessing inside the model, so they need "
            f"`include_preprocessing=True`. Received: mean={mean!r}, std={std!r} without it"
        )
    given = [np.asarray(values) for values in (mean, std)]
    good = all(each.shape == (3,) and each.dtype.kind == "f" for each in given)
    if not good or not (given[0] >= 0).all() or not ((given[1] > 0) & (given[1] <= 1)).all():
        raise ValueError(
            "`mean` and `std` must be three numbers each, of pixels in 0–1. "
            f"Received: mean={mean!r}, std={std!r}"
        )
    return [float(each) for each in given[0]], [float(each) for each in given[1]]


def _reason_for_rgb(weights: Any, include_preprocessing: bool) -> str | None:
    if weights is not None:
        return "the weights are those of RGB images"
    if include_preprocessing:
        return "the preprocessing is that of RGB images"
    return None


def _chosen(named: dict[str, Any], outputs: Any) -> dict[str, Any]:
    listed = isinstance(outputs, (list, tuple)) and len(outputs) > 0
    if not listed or any(output not in named for output in outputs):
        raise ValueError(
            f"`outputs` must be a list of names among {', '.join(named)} "
            "(gating vectors: conv2_block1_gates, … where streams are fused by gates; what a head "
            f"computes, under that head). Received: {outputs!r}"
        )
    return {output: named[output] for output in outputs}
