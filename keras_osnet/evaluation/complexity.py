"""Parameters and mult-adds of a model, counted as in the paper."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from keras_osnet._utils.checks import check_image_size

_CLASSIFIER = "logits"


@dataclass(frozen=True)
class Complexity:
    """Parameters of a model and its mult-adds per image.

    Attributes:
        parameters: Trainable parameters as the paper and torchreid count them: a gate shared by T
            streams counts T times.
        trainable_parameters: Actual number of trainable parameters.
        mult_adds: Multiply-accumulate operations of convolutions and dense layers, biases included.
    """

    parameters: int
    trainable_parameters: int
    mult_adds: int


def complexity(model: Any, image_size: Sequence[int] | None = None) -> Complexity:
    """Count the parameters and mult-adds of an OSNet, as in the paper's Tables 2 and 6.

    The classifier is not counted, as in the paper: it is only used in training, and its size
    depends on the training set.

    Args:
        model: A model of `keras_osnet.OSNet`.
        image_size: Height and width of the image; the model's own by default.

    Raises:
        ValueError: The model takes images of any size and `image_size` is not given, or it is not
            an OSNet (an OSNet inside of another model has to be taken out first).

    Example:
        >>> import keras_osnet
        >>> from keras_osnet.evaluation import complexity
        >>> complexity(keras_osnet.OSNet(0.25, head="embedding"))
        Complexity(parameters=203568, trainable_parameters=201864, mult_adds=82316000)
    """
    layers = getattr(model, "layers", None)
    layers = layers if isinstance(layers, list) else []
    if not any(hasattr(layer, "depths") for layer in layers) or len(model.inputs) != 1:
        raise ValueError(
            "`model` must be an OSNet itself, as `keras_osnet.OSNet` builds it, with one input. "
            f"Received: {model.name if layers else repr(model)[:200]}"
        )
    if image_size is not None:
        check_image_size(image_size)
    shapes: dict[int, Any] = {}
    for tensor in model.inputs:
        height, width = image_size or tensor.shape[1:3]
        if height is None or width is None:
            raise ValueError(
                "`image_size` must be given for a model that takes images of any size, such as "
                "image_size=(256, 128). Received: image_size=None, model of shape "
                f"{tuple(tensor.shape)}"
            )
        shapes[id(tensor)] = (None, height, width, tensor.shape[-1])

    counts = [0, 0, 0]
    for layer in model.layers:
        if id(_first(layer.output)) in shapes:  # an input
            continue
        shape = layer.compute_output_shape(shapes[id(_first(layer.input))])
        shapes[id(_first(layer.output))] = shape
        if layer.name != _CLASSIFIER:
            counts = [a + b for a, b in zip(counts, _count(layer, shape), strict=True)]
    return Complexity(*counts)


def _count(layer: Any, output_shape: Sequence[int | None]) -> tuple[int, int, int]:
    """Return the parameters as the paper counts them, the actual ones, and the mult-adds."""
    # All convolutions of a layer have its output height and width.
    positions = math.prod(output_shape[1:-1])  # type: ignore[arg-type]
    actual = _size(layer.trainable_variables)
    mult_adds = _mult_adds(layer.trainable_variables, positions)

    gate = getattr(layer, "gate", None)
    if gate is None or gate.kind not in ("unified", "streamwise"):
        return actual, actual, mult_adds
    repeats = len(layer.depths) - 1
    variables = gate.trainable_variables
    return (
        actual + repeats * _size(variables),
        actual,
        mult_adds + repeats * _mult_adds(variables, positions),
    )


def _size(variables: Iterable[Any]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


def _mult_adds(variables: Iterable[Any], positions: int) -> int:
    """Count each element of a convolution once per output position, of a dense layer once."""
    total = 0
    for variable in variables:
        if variable.name in ("kernel", "bias"):
            total += math.prod(variable.shape) * (positions if len(variable.shape) == 4 else 1)
    return total


def _first(tensors: Any) -> Any:
    return tensors[0] if isinstance(tensors, (list, tuple)) else tensors
