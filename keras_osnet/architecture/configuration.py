"""What makes one OSNet architecture differ from another."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from keras_osnet._utils.checks import one_of, positive_integer
from keras_osnet.layers.omni_scale_block import CONVOLUTIONS, FUSIONS, stream_depths

VARIANTS = ("base", "ibn", "ain")

STEMS = ("imagenet", "cifar")

STAGES = ("conv2", "conv3", "conv4")
"""The stages made of omni-scale blocks (paper, Table 1)."""

_CHANNELS = (64, 256, 384, 512)
"""Channels of the stem and of the three stages at width 1.0 (paper, Table 1)."""

_AIN_RESIDUAL_NORM = ((True, True), (False, True), (True, False))
"""The blocks of each stage whose residual OSNet-AIN normalizes (TPAMI 2021, found by search)."""


@dataclass(frozen=True)
class Configuration:
    """The architecture of a backbone, from the arguments of `keras_osnet.OSNet`, checked.

    Attributes:
        width: Multiplier of all channels.
        variant: `"base"`, `"ibn"` or `"ain"`.
        depths: Omni-scale blocks in each of the three stages.
        streams: 3×3 layers in each stream of a block.
        fusion: How a block fuses its streams.
        convolution: `"lite"` or `"full"` 3×3 layers in the streams.
        stem: `"imagenet"`, a 7×7 convolution at stride 2 and a 3×3 max-pool at stride 2; or
            `"cifar"`, a 3×3 convolution at stride 1, for images of 32×32.
    """

    width: float
    variant: str
    depths: tuple[int, ...]
    streams: tuple[int, ...]
    fusion: str
    convolution: str
    stem: str

    @classmethod
    def checked(
        cls,
        width: float,
        variant: str,
        depths: Sequence[int],
        streams: int | Sequence[int],
        fusion: str,
        convolution: str,
        stem: str,
    ) -> "Configuration":
        """Return the configuration, or raise ValueError naming the argument that is wrong."""
        one_of("variant", variant, VARIANTS)
        depths = _checked_depths(depths)
        if variant == "ain" and depths != (2, 2, 2):
            raise ValueError(
                '`variant="ain"` normalizes blocks that were searched for in a network of '
                f"`depths=(2, 2, 2)`, and no others are known. Received: depths={depths}"
            )
        return cls(
            width=_checked_width(width),
            variant=variant,
            depths=depths,
            streams=stream_depths(streams),
            fusion=one_of("fusion", fusion, FUSIONS),
            convolution=one_of("convolution", convolution, CONVOLUTIONS),
            stem=one_of("stem", stem, STEMS),
        )

    @property
    def name(self) -> str:
        """The reference's name of this width and variant, such as `osnet_ibn_x1_0`."""
        return architecture_name(self.width, self.variant)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the stem and of the three stages."""
        return tuple(round(channels * self.width) for channels in _CHANNELS)

    @property
    def stem_norm(self) -> str:
        """The normalization in the stem."""
        return "batch" if self.variant == "base" else "instance"

    @property
    def downscaling(self) -> int:
        """How many input pixels one pixel of the last maps stands for, in each direction."""
        return 16 if self.stem == "imagenet" else 4

    def instance_norm(self, stage: int, block: int) -> str | None:
        """Return where a block (both counted from 0) has instance norm; see OmniScaleBlock."""
        if self.variant == "ibn" and stage == 0:
            return "output"
        if self.variant == "ain" and _AIN_RESIDUAL_NORM[stage][block]:
            return "residual"
        return None


def architecture_name(width: float, variant: str) -> str:
    """Return the reference's name of a width and variant, such as `osnet_ibn_x1_0`."""
    infix = "" if variant == "base" else f"_{variant}"
    return f"osnet{infix}_x{str(width).replace('.', '_')}"


def _checked_width(width: Any) -> float:
    message = (
        "`width` must be a multiple of 1/32 of at least 0.25 (1.0, 0.75, 0.5 and 0.25 are the "
        "published ones): then every layer has a whole number of channels"
    )
    if isinstance(width, bool) or not isinstance(width, Real):
        raise ValueError(f"{message}. Received: {width!r}")
    value = float(width)
    if not 0.25 <= value < float("inf"):
        raise ValueError(f"{message}. Received: {width!r}")
    if not (value * 32).is_integer():
        below = int(value * 32) / 32
        raise ValueError(
            f"{message}; near yours are {below} and {below + 1 / 32}. Received: {width!r}"
        )
    return value


def _checked_depths(depths: Any) -> tuple[int, ...]:
    if not isinstance(depths, (list, tuple)) or len(depths) != len(STAGES):
        raise ValueError(
            "`depths` must give the number of blocks of the three stages, such as (2, 2, 2). "
            f"Received: {depths!r}"
        )
    return tuple(positive_integer("depths", depth) for depth in depths)
