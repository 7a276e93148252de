"""Feature maps, gating vectors and other intermediate outputs of a model on images."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import positive_integer
from keras_osnet.architecture.inference import inference_of
from keras_osnet.evaluation.embed import preparation, resolve_image_size
from keras_osnet.layers import OmniScaleBlock
from keras_osnet.visualize._images import listed_images, read_images

_GATES = "_gates"


def feature_maps(
    model: keras.Model,
    images: Any,
    names: Sequence[str],
    *,
    image_size: tuple[int, int] | None = None,
    batch_size: int = 32,
) -> dict[str, NDArray[np.float32]]:
    """Compute named intermediate outputs of a model on images.

    `keras_osnet.OSNet(outputs=…)` builds a network that returns intermediates; this function takes
    them from an existing model, such as a trained one.

    Args:
        model: An OSNet with any head, or another functional model. With or without
            `include_preprocessing`: it gets pixels or preprocessed images accordingly.
        images: Array (n, height, width, 3), uint8, RGB; files; or a folder.
        names: As for `outputs` of `keras_osnet.OSNet`: `conv5`, `conv4`, `conv4_block2`,
            `conv4_block2_gates`, …; of another model, names of layers.
        image_size: (height, width) that images are resized to; the model's own by default.
        batch_size: Number of images per batch.

    Returns:
        For each name an array (n, …), float32. Results of all images are in memory together.

    Raises:
        ValueError: If the model has no intermediate of a name, there are no images, or
            `image_size` is needed.
        ImageReadError: If files cannot be read.

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.synthetic import synthetic_people
        >>> people = synthetic_people(1, views=1, image_size=(64, 32))
        >>> model = keras_osnet.OSNet(0.25, head="embedding", input_shape=(64, 32, 3))
        >>> found = feature_maps(model, people.images, ["conv5", "conv4_block2_gates"])
        >>> {name: array.shape for name, array in found.items()}
        {'conv5': (2, 4, 2, 128), 'conv4_block2_gates': (2, 4, 32)}
    """
    if isinstance(names, str) or not names:
        raise ValueError(f"`names` must be a list of at least one name. Received: {names!r}")
    tensors = {name: intermediate(model, name) for name in names}
    network = keras.Model(model.inputs[0], tensors, name=model.name)
    images = listed_images(images)
    image_size = resolve_image_size(model, image_size)
    batch_size = positive_integer("batch_size", batch_size)
    prepare, infer = preparation(model), inference_of(network, len(images), batch_size)
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    for start in range(0, len(images), batch_size):
        pixels = np.stack(read_images(images[start : start + batch_size], image_size))
        computed = infer(prepare(pixels))
        for name in names:
            parts[name].append(np.asarray(computed[name], np.float32))
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def activation_maps(features: ArrayLike) -> NDArray[np.float32]:
    """Sum feature maps over channels and normalize them over the image (paper, Fig. 6).

    The paper takes "the sum of absolute-valued feature maps along the channel dimension followed by
    a spatial l2 normalization". torchreid's script, which many figures are made with, sums
    *squares* instead: its maps have fewer and sharper peaks than these.

    Args:
        features: Array (n, height, width, channels), real, of any dtype: feature maps, usually of
            `conv5`, the last before pooling; see `feature_maps`.

    Returns:
        Array (n, height, width), float32, not negative; the squares of each map add up to 1, or to
        0 where nothing was active.

    Raises:
        ValueError: If the shape is another, or a number is NaN or infinite.

    Example:
        >>> activation_maps([[[[3.0, 0.0], [-2.0, 2.0]]]]).round(1).tolist()
        [[[0.6000000238418579, 0.800000011920929]]]
    """
    values = np.asarray(features)
    if values.ndim != 4 or 0 in values.shape:
        raise ValueError(
            "`features` must be an array (n, height, width, channels). "
            f"Received: shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("`features` must be finite. Received: NaN or infinity")
    sums = np.abs(values.astype(np.float64)).sum(axis=-1)
    norms = np.sqrt(np.square(sums).sum(axis=(1, 2), keepdims=True))
    return (sums / np.where(norms > 0, norms, 1)).astype(np.float32)


def intermediate(model: keras.Model, name: str) -> Any:
    """Return the tensor of a functional model that an intermediate's name refers to.

    Raises:
        ValueError: If there is none.
    """
    block = next((each for each in _blocks(model) if f"{each.name}{_GATES}" == name), None)
    if block is not None and block.has_gates:
        if isinstance(block.output, list | tuple):
            return block.output[1]
        # The block was built without returning its gates; call it once more.
        return _GatesOf(block)(block.input)
    output = layer_of(model, name).output
    # A block that returns its gates gives a pair.
    return output[0] if isinstance(output, list | tuple) else output


def layer_of(model: keras.Model, name: str) -> keras.layers.Layer:
    """Return the layer of a functional model that computes an intermediate other than gates.

    Raises:
        ValueError: If there is none.
    """
    layers = {layer.name: layer for layer in model.layers}
    # Stages and transitions are named after the layer they end in.
    pooled = {layer.removesuffix("_pool"): layer for layer in layers if layer.endswith("_pool")}
    layer = layers.get({**_last_blocks(layers), **pooled}.get(name, name))
    if layer is None:
        gates = f"; BLOCK{_GATES} of its blocks" if _blocks(model) else ""
        raise ValueError(
            f"The model {model.name} has no such intermediate; it has {', '.join(layers)}{gates}. "
            f"Received: {name!r}"
        )
    return layer


class _GatesOf(keras.layers.Layer):
    """The gating vectors of a block, as a separate layer.

    Keras assumes that a layer returns the same number of tensors in every call: one, for a block
    that was built without its gates.
    """

    def __init__(self, block: OmniScaleBlock) -> None:
        super().__init__(name=f"{block.name}{_GATES}", dtype=block.dtype_policy)
        self.block = block
        self.built = True

    def call(self, maps: Any) -> Any:
        return self.block(maps, return_gates=True)[1]

    def compute_output_spec(self, maps: Any) -> Any:
        return self.block.compute_output_spec(maps, return_gates=True)[1]


def gate_names(model: keras.Model) -> list[str]:
    """Return the names of a model's gating vectors, in the order of the network.

    Raises:
        ValueError: If no block of it has a gate.
    """
    names = [f"{block.name}{_GATES}" for block in _blocks(model) if block.has_gates]
    if not names:
        raise ValueError(
            f"`model` must have blocks with gates. Received: {model.name}, which has none"
        )
    return names


def _blocks(model: keras.Model) -> list[OmniScaleBlock]:
    return [layer for layer in model.layers if isinstance(layer, OmniScaleBlock)]


def _last_blocks(names: Iterable[str]) -> dict[str, str]:
    """Map each stage to its last block, whose feature maps are the stage's."""
    found = [match for match in (re.fullmatch(r"(.+)_block\d+", name) for name in names) if match]
    return {match[1]: match[0] for match in found}
