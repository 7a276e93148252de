"""The function that builds any OSNet."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import keras

from keras_osnet._utils.checks import one_of
from keras_osnet.architecture.configuration import (
    Configuration,
    check_name,
    checked_image_shape,
    float_policy,
)
from keras_osnet.architecture.model import OSNetModel, chosen, is_own_input
from keras_osnet.architecture.network import network
from keras_osnet.weights.catalogue import default_image_size
from keras_osnet.weights.sources import open_weights


def OSNet(  # noqa: N802 - a constructor in all but name, as in keras.applications
    width: float = 1.0,
    *,
    variant: str = "base",
    head: str | None = None,
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    key: str | None = None,
    input_shape: Sequence[int | None] | None = None,
    input_tensor: Any = None,
    classes: int | None = None,
    pooling: str | None = None,
    classifier_activation: Any = "softmax",
    classifier_scale: float | None = None,
    feature_dim: int | None = 512,
    neck: str | None = None,
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
    dtype: Any = None,
    name: str | None = None,
) -> keras.Model:
    """Build an OSNet (Zhou et al., ICCV 2019; OSNet-AIN: TPAMI 2021) as a functional Keras model.

    Arguments of keras.applications have the same meaning here. The differences:
    `classes=None` takes the checkpoint's count; another count than the checkpoint's gets a new
    classifier and a warning, not an error; the default input is 256×128 pixels, but for
    `weights="imagenet"` with its classifier, which is 224×224, and for `"synthetic"`, 128×64.

    Args:
        width: Multiplier of all channels: 1.0, 0.75, 0.5 or 0.25 have published weights; any
            multiple of 1/32 from 0.25 up can be built.
        variant: `"base"`; `"ibn"`, instance norm in the stem and after the blocks of conv2; or
            `"ain"`, instance norm in the stem and inside chosen residuals.
        head: `"classification"` (the default; identities or classes), `"attribute"` (independent
            sigmoids) or `"embedding"`.
        include_top: False leaves the head out: the result is the last feature map, or pooled
            features if `pooling` is set.
        weights: None for torchreid's random initial values; a tag such as `"imagenet"` or
            `"market1501"` (see `keras_osnet.list_weights`), which is downloaded, or
            `"synthetic"` and `"synthetic_attributes"`, which come with the package; a local file
            (a torch checkpoint, a `.safetensors` or `.weights.h5` file or a `.keras` model,
            whatever its name); or `"hf://owner/repo[/file][@revision]"`.
        key: Where the network is, in a file of several; see `keras_osnet.weights.load_torchreid`.
        input_shape: (height, width, 3); None in place of a size leaves it open.
        input_tensor: Keras tensor (batch, height, width, 3) to build the model on. If it is
            computed by other layers, is not of floats, or has a fixed batch size, the model is a
            plain `keras.Model`, as no configuration could rebuild it.
        classes: Number of classes, identities or attributes. None takes the checkpoint's count,
            or without one 1000 classes, 26 attributes (PA-100K).
        pooling: `"avg"`, `"max"` or `"gem"` (generalized mean with a learned exponent, see
            `keras_osnet.layers.GeM`), over the whole last feature map. None is `"avg"` under a
            head.
        classifier_activation: Activation on top of a classification head, None for logits. An
            attribute head has `"sigmoid"` in place of the default.
        classifier_scale: None for a dense classifier. A number s makes the logits s times the
            cosines between the embedding and the weights of each class, for the losses `CosFace`,
            `ArcFace` and `CircleSoftmax`; see `keras_osnet.layers.CosineClassifier`.
        feature_dim: Length of the embedding. None uses the pooled features as the embedding.
        neck: `"bn"` puts a batch norm without a shift between the features and the embedding (Luo
            et al., 2019): triplet and center losses apply to the output `features` before it, the
            classifier (without a bias) and retrieval to the embedding after it.
        normalize: Scale the embedding to length 1 (`head="embedding"` only).
        include_preprocessing: Put `preprocess_input` inside, so that the model takes RGB 0–255.
        mean: Of red, green and blue in 0–1, in place of ImageNet's, for `include_preprocessing`:
            the statistics that the network was trained with (supplement, Table 12a; see
            `keras_osnet.data.pixel_statistics`).
        std: Their standard deviations, above 0; given with `mean`.
        outputs: Names of intermediates to return in place of the head's result, as a dict: the
            stages `conv1`, `maxpool`, `conv2`, `transition2`, `conv3`, `transition3`, `conv4`,
            `conv5`; the blocks `conv2_block1`, …; their gating vectors `conv2_block1_gates`, …
            (batch, streams, channels); `pooled`, `features` (before a neck), `embedding`,
            `normalized`, `logits`, `predictions`.
        depths: Omni-scale blocks in conv2, conv3 and conv4.
        streams: T, for streams of 1 to T 3×3 layers in each block, or the depth of each stream.
        fusion: `"unified"` (the paper's gate), `"separate"`, `"streamwise"`, `"fixed"`,
            `"addition"` or `"concatenation"` (Table 5; see `keras_osnet.layers.OmniScaleBlock`).
        convolution: `"lite"`, or `"full"` for standard 3×3 convolutions in the streams.
        stem: `"imagenet"`, or `"cifar"` for images of 32×32: 3×3 at stride 1 and no max-pool.
        dtype: Dtype policy of the layers, such as `"mixed_bfloat16"`; Keras's global one if None.
            Embeddings, logits and predictions are float32 under any.
        name: Name of the model, torchreid's (`osnet_x1_0`) if None.

    Returns:
        An `OSNetModel`, a functional model of float images (batch, height, width, 3), RGB,
        normalized by `preprocess_input` (0–255 of any type with `include_preprocessing=True`), with
        the output

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
    given = locals()
    architecture = {name: given[name] for name in Configuration.names() if name != "input_shape"}
    check_name(name)
    configuration = Configuration(**architecture)
    source = None
    if key is not None and weights is None:
        raise ValueError(f"`key` is for `weights`, which are not given. Received: key={key!r}")
    if weights is not None:
        if configuration.head == "classification":
            one_of("classifier_activation", classifier_activation, ("softmax", None))
        source = open_weights(weights, variant=variant, width=configuration.width, key=key)
        source.check(configuration)
    configuration = dataclasses.replace(
        configuration,
        input_shape=_image_shape(configuration, weights, input_shape, input_tensor),
        classes=classes or (None if source is None else source.classes),
    )

    image = input_tensor
    if image is None:
        image = keras.Input(configuration.input_shape, name="image")
    dtype = float_policy(dtype)
    named = network(image, configuration, dtype)

    def model(configuration: Configuration) -> keras.Model:
        if is_own_input(image):
            return OSNetModel.of_graph(image, named, configuration, name=name, dtype=dtype)
        sources = keras.utils.get_source_inputs(image)
        return keras.Model(
            sources[0] if len(sources) == 1 else sources,
            chosen(named, configuration.outputs),
            name=name or configuration.name,
        )

    if source is None:
        return model(configuration)
    # The whole network, also layers that the outputs do not need: weights must fit all of it.
    whole = model(dataclasses.replace(configuration, outputs=None))
    source.load_into(whole)
    return whole if configuration.outputs is None else model(configuration)


def _image_shape(
    configuration: Configuration, weights: Any, input_shape: Any, input_tensor: Any
) -> tuple[int | None, int | None, int]:
    if input_tensor is None:
        name, shape = "input_shape", input_shape
        if shape is None:
            shape = (*default_image_size(weights, configuration.head), 3)
    elif isinstance(input_tensor, keras.KerasTensor):
        name, shape = "input_tensor", input_tensor.shape[1:]
        if input_shape is not None and tuple(input_shape) != tuple(shape):
            raise ValueError(
                "`input_shape` and `input_tensor` contradict each other; give one of them. "
                f"Received: input_shape={tuple(input_shape)}, "
                f"input_tensor of shape {tuple(input_tensor.shape)}"
            )
    else:
        raise ValueError(
            "`input_tensor` must be a Keras tensor, such as `keras.Input((256, 128, 3))`. "
            f"Received: {type(input_tensor).__name__}"
        )
    rgb = None if weights is None else "the weights are those of RGB images"
    return checked_image_shape(name, shape, configuration.downscaling, rgb=rgb)
