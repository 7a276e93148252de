"""Validated configuration of the architecture."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from keras_osnet._utils.checks import (
    boolean,
    color_shares,
    number,
    one_of,
    positive_integer,
    whole_number,
)
from keras_osnet._utils.constants import SMALLEST_STD
from keras_osnet.layers.omni_scale_block import CONVOLUTIONS, FUSIONS, stream_depths

RE_ID_SIZE = (256, 128)
"""Height and width of the images that person re-identification is trained on."""

VARIANTS = ("base", "ibn", "ain")
STEMS = ("imagenet", "cifar")
HEADS = ("classification", "attribute", "embedding")
POOLINGS = ("avg", "max", "gem")
NECKS = (None, "bn")

SMALLEST_SCALE = 1.0
"""The smallest `classifier_scale`."""

STAGES = ("conv2", "conv3", "conv4")
"""The stages made of omni-scale blocks (paper, Table 1)."""

DEFAULT_CLASSES = {"classification": 1000, "attribute": 26}
"""ImageNet's classes and PA-100K's attributes, on which the paper trained these heads."""

CHANNELS = (64, 256, 384, 512)
"""Channels of the stem and of the three stages at width 1.0 (paper, Table 1)."""

_AIN_RESIDUAL_NORM = ((True, True), (False, True), (True, False))
"""The blocks of each stage whose residual OSNet-AIN normalizes (TPAMI 2021, found by search)."""

# Far beyond what anybody trains. Numbers of a damaged file would take all memory, or hours.
_WIDEST = 8
_MOST_BLOCKS, _MOST_LAYERS = 100, 1000
_MOST_FEATURES, _MOST_CLASSES = 1 << 16, 1_000_000
_LARGEST_SIDE, _MOST_CHANNELS = 1 << 16, 1024

_OF_WEIGHTS = {"of_weights": True}
"""Marks arguments that weights depend on; the others only affect how weights are used."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The arguments of an OSNet's architecture, with their defaults.

    They are described in `keras_osnet.OSNet`. A configuration is valid and complete: arguments that
    are None by default (`head`, `pooling`, `classes`) get their effective values, and those that do
    not apply to the head their defaults. So two configurations are equal if they build the same
    network.

    Raises:
        ValueError: An argument is wrong; the message names it.
    """

    width: float = field(default=1.0, metadata=_OF_WEIGHTS)
    variant: str = field(default="base", metadata=_OF_WEIGHTS)
    head: str | None = None
    include_top: bool = True
    input_shape: Sequence[int | None] = (*RE_ID_SIZE, 3)
    classes: int | None = None
    pooling: str | None = field(default=None, metadata=_OF_WEIGHTS)
    classifier_activation: Any = "softmax"
    classifier_scale: float | None = field(default=None, metadata=_OF_WEIGHTS)
    feature_dim: int | None = field(default=512, metadata=_OF_WEIGHTS)
    neck: str | None = field(default=None, metadata=_OF_WEIGHTS)
    normalize: bool = False
    include_preprocessing: bool = False
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    outputs: Sequence[str] | None = None
    depths: Sequence[int] = field(default=(2, 2, 2), metadata=_OF_WEIGHTS)
    streams: int | Sequence[int] = field(default=4, metadata=_OF_WEIGHTS)
    fusion: str = field(default="unified", metadata=_OF_WEIGHTS)
    convolution: str = field(default="lite", metadata=_OF_WEIGHTS)
    stem: str = field(default="imagenet", metadata=_OF_WEIGHTS)

    def __post_init__(self) -> None:
        self._check_backbone()
        self._check_head()
        self._check_statistics()
        reason = "the preprocessing is that of RGB images" if self.include_preprocessing else None
        self._set(
            input_shape=checked_image_shape(
                "input_shape", self.input_shape, self.downscaling, rgb=reason
            )
        )

    @classmethod
    def names(cls, *, of_weights: bool = False) -> tuple[str, ...]:
        """Return the names of all arguments, or of those that weights depend on."""
        return tuple(
            each.name
            for each in dataclasses.fields(cls)
            if not of_weights or each.metadata.get("of_weights")
        )

    @property
    def name(self) -> str:
        """Torchreid's name of this width and variant, such as `osnet_ibn_x1_0`."""
        return architecture_name(self.width, self.variant)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the stem and of the three stages."""
        return tuple(round(channels * self.width) for channels in CHANNELS)

    @property
    def stem_norm(self) -> str:
        """The normalization in the stem."""
        return "batch" if self.variant == "base" else "instance"

    @property
    def downscaling(self) -> int:
        """Stride of the last feature map, in input pixels."""
        return 16 if self.stem == "imagenet" else 4

    def instance_norm(self, stage: int, block: int) -> str | None:
        """Return where a block (both counted from 0) has instance norm; see OmniScaleBlock."""
        if self.variant == "ibn" and stage == 0:
            return "output"
        if self.variant == "ain" and _AIN_RESIDUAL_NORM[stage][block]:
            return "residual"
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return all arguments, as JSON can hold them; an activation as Keras serializes it."""
        arguments = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        if callable(self.classifier_activation):
            arguments["classifier_activation"] = keras.activations.serialize(
                self.classifier_activation
            )
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in arguments.items()
        }

    def call_arguments(self) -> dict[str, Any]:
        """Return the arguments that a call of `keras_osnet.OSNet` has to give, and the width."""
        plain = Configuration(head=self.head, include_top=self.include_top).to_dict()
        always = {"width"}
        always |= {"include_top"} if self.head is None else {"head"}
        always |= {"classes"} if self.classes else set()
        return {
            name: value
            for name, value in self.to_dict().items()
            if name in always or value != plain[name]
        }

    def _check_backbone(self) -> None:
        variant = one_of("variant", self.variant, VARIANTS)
        depths = _checked_depths(self.depths)
        if variant == "ain" and depths != (2, 2, 2):
            raise ValueError(
                '`variant="ain"` normalizes blocks that were searched for in a network of '
                f"`depths=(2, 2, 2)`, and no others are known. Received: depths={depths}"
            )
        streams = stream_depths(self.streams)
        if sum(depths) > _MOST_BLOCKS or sum(depths) * sum(streams) > _MOST_LAYERS:
            raise ValueError(
                f"`depths` and `streams` must give at most {_MOST_BLOCKS} blocks, with "
                f"{_MOST_LAYERS} 3×3 layers in all of them: more take minutes to build. "
                f"Received: depths={depths}, streams={self.streams!r}"
            )
        self._set(
            width=_checked_width(self.width),
            depths=depths,
            streams=len(streams) if streams == stream_depths(len(streams)) else streams,
            variant=variant,
            fusion=one_of("fusion", self.fusion, FUSIONS),
            convolution=one_of("convolution", self.convolution, CONVOLUTIONS),
            stem=one_of("stem", self.stem, STEMS),
        )

    def _check_head(self) -> None:
        flags = ("include_top", "normalize", "include_preprocessing")
        self._set(**{name: boolean(name, getattr(self, name)) for name in flags})
        head = one_of("head", self.head, (None, *HEADS))
        if not self.include_top and head is not None:
            raise ValueError(
                "`include_top=False` leaves the head out, so `head` must not be given. "
                f"Received: include_top=False, head={head!r}"
            )
        if self.include_top and head is None:
            head = "classification"
        if self.normalize and head != "embedding":
            raise ValueError(
                '`normalize=True` scales an embedding, so it needs `head="embedding"`. '
                f"Received: include_top={self.include_top}, head={head!r}"
            )
        pooling = one_of("pooling", self.pooling, (None, *POOLINGS))
        feature_dim, classes = self.feature_dim, self.classes
        if feature_dim is not None:
            feature_dim = positive_integer("feature_dim", feature_dim, _MOST_FEATURES)
        if classes is not None:
            classes = positive_integer("classes", classes, _MOST_CLASSES)
        neck = one_of("neck", self.neck, NECKS)
        scale = self.classifier_scale
        if scale is not None:
            scale = number("classifier_scale", scale, SMALLEST_SCALE)
        activation = _checked_activation(self.classifier_activation)
        if head == "attribute" and activation == "softmax":
            activation = "sigmoid"
        outputs = self.outputs
        if outputs is not None:
            listed = isinstance(outputs, (list, tuple)) and len(outputs) > 0
            if not listed or not all(isinstance(name, str) for name in outputs):
                raise ValueError(
                    "`outputs` must be a list of names of intermediates, such as "
                    f'["conv2", "embedding"]. Received: {outputs!r}'
                )
            outputs = tuple(outputs)
        self._set(
            head=head,
            include_top=head is not None,
            pooling=pooling or ("avg" if head else None),
            feature_dim=feature_dim if head else None,
            neck=neck if head else None,
            classes=(classes or DEFAULT_CLASSES[head]) if head in DEFAULT_CLASSES else None,
            classifier_activation=activation if head in DEFAULT_CLASSES else "softmax",
            classifier_scale=scale if head in DEFAULT_CLASSES else None,
            outputs=outputs,
        )

    def _check_statistics(self) -> None:
        mean, std = self.mean, self.std
        if mean is None and std is None:
            return
        if not self.include_preprocessing:
            raise ValueError(
                "`mean` and `std` are those of the preprocessing inside the model, so they need "
                f"`include_preprocessing=True`. Received: mean={mean!r}, std={std!r} without it"
            )
        self._set(mean=color_shares("mean", mean), std=color_shares("std", std, SMALLEST_STD))

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


def architecture_name(width: float, variant: str) -> str:
    """Return torchreid's name of a width and variant, such as `osnet_ibn_x1_0`."""
    infix = "" if variant == "base" else f"_{variant}"
    return f"osnet{infix}_x{str(width).replace('.', '_')}"


def checked_image_shape(
    name: str, shape: Any, min_size: int, *, rgb: str | None = None
) -> tuple[int | None, int | None, int]:
    """Return (height, width, channels), or raise ValueError naming the argument.

    Args:
        name: Name of the argument, for errors.
        shape: The shape, without the batch.
        min_size: The smallest height and width that leave a pixel in the last feature map.
        rgb: Reason why the image must have 3 channels, or None if it may have others.
    """
    if not isinstance(shape, (list, tuple)) or len(shape) != 3:
        raise ValueError(
            f"`{name}` must be an image: height, width and channels, such as (256, 128, 3). "
            f"Received: {shape!r}"
        )
    received = f"Received: {tuple(shape)}"
    height, width, channels = (whole_number(size) for size in shape)
    for size, given in ((height, shape[0]), (width, shape[1])):
        if given is not None and (size is None or size < min_size):
            raise ValueError(
                f"`{name}` must be at least {min_size} pixels high and wide (or None, for any), "
                f"in whole numbers. {received}"
            )
    if max(height or 0, width or 0) > _LARGEST_SIDE:
        raise ValueError(f"`{name}` must be at most {_LARGEST_SIDE:,} high and wide. {received}")
    if channels is None or not 1 <= channels <= _MOST_CHANNELS:
        raise ValueError(
            f"`{name}` must have known channels, and at most {_MOST_CHANNELS:,}. {received}"
        )
    if rgb and channels != 3:
        raise ValueError(f"`{name}` must have 3 channels: {rgb}. {received}")
    return height, width, channels


def check_name(name: Any) -> None:
    """Raise ValueError unless Keras can give a model this name; None is its default."""
    if name is not None and (not isinstance(name, str) or not name or "/" in name):
        raise ValueError(f"`name` must be a text without a slash. Received: {name!r}")


def float_policy(dtype: Any) -> Any:
    """Return the dtype policy of an argument `dtype`, of floating point; None is Keras's own."""
    try:
        policy = keras.dtype_policies.get(dtype)
        is_map = isinstance(policy, keras.dtype_policies.DTypePolicyMap)
        if is_map or policy.compute_dtype.startswith(("float", "bfloat")):
            return policy
    except (ValueError, TypeError):
        pass
    raise ValueError(
        '`dtype` must be a policy of floating point, such as "float32" or "mixed_bfloat16". '
        f"Received: {dtype!r}"
    )


def _checked_width(width: Any) -> float:
    message = (
        f"`width` must be a multiple of 1/32 from 0.25 to {_WIDEST} (1.0, 0.75, 0.5 and 0.25 are "
        "the published ones): then every layer has a whole number of channels"
    )
    try:
        value = number("width", width, 0.25, _WIDEST)
    except ValueError:
        raise ValueError(f"{message}. Received: {width!r}") from None
    if not (value * 32).is_integer():
        below = int(value * 32) / 32
        raise ValueError(
            f"{message}; nearest valid values: {below} and {below + 1 / 32}. Received: {width!r}"
        )
    return value


def _checked_activation(activation: Any) -> Any:
    if activation is None or isinstance(activation, str | Callable):
        try:
            keras.activations.get(activation)
        except ValueError:
            pass
        else:
            return activation
    raise ValueError(
        "`classifier_activation` must be None, the name of an activation of Keras such as "
        f'"softmax", or a function. Received: {activation!r}'
    )


def _checked_depths(depths: Any) -> tuple[int, ...]:
    if not isinstance(depths, (list, tuple)) or len(depths) != len(STAGES):
        raise ValueError(
            "`depths` must give the number of blocks of the three stages, such as (2, 2, 2). "
            f"Received: {depths!r}"
        )
    return tuple(positive_integer("depths", depth) for depth in depths)
