"""From an image to the last maps."""

from typing import Any

import keras

from keras_osnet.architecture.configuration import STAGES, Configuration
from keras_osnet.layers import ConvNorm2D, OmniScaleBlock


def backbone(image: Any, configuration: Configuration, *, gates: bool) -> dict[str, Any]:
    """Build the convolutional part of OSNet (paper, Table 1) on an image tensor.

    Args:
        image: Tensor (batch, height, width, 3), normalized as `preprocess_input` does.
        configuration: The architecture.
        gates: Also hand out the blocks' gating vectors.

    Returns:
        The named intermediates in the order of the network: `conv1`, `maxpool` (with the ImageNet
        stem), and for each stage the blocks (`conv2_block1`, …), their gating vectors
        (`conv2_block1_gates`, …), the stage (`conv2`, the same tensor as its last block's) and the
        transition to the next (`transition2`); last `conv5`, the maps that the heads pool.
    """
    stem, *stages = configuration.channels
    named: dict[str, Any] = {}

    if configuration.stem == "imagenet":
        convolution = ConvNorm2D(
            stem, kernel_size=7, strides=2, normalization=configuration.stem_norm, name="conv1"
        )
        maps = named["conv1"] = convolution(image)
        # Zeros serve as well as the reference's minus infinity: nothing is below zero after ReLU.
        maps = keras.layers.ZeroPadding2D(1, data_format="channels_last", name="maxpool_pad")(maps)
        maps = named["maxpool"] = keras.layers.MaxPooling2D(
            3, strides=2, data_format="channels_last", name="maxpool"
        )(maps)
    else:
        convolution = ConvNorm2D(
            stem, kernel_size=3, normalization=configuration.stem_norm, name="conv1"
        )
        maps = named["conv1"] = convolution(image)

    for index, (stage, filters) in enumerate(zip(STAGES, stages, strict=True)):
        for number in range(configuration.depths[index]):
            name = f"{stage}_block{number + 1}"
            block = OmniScaleBlock(
                filters,
                streams=configuration.streams,
                fusion=configuration.fusion,
                convolution=configuration.convolution,
                instance_norm=configuration.instance_norm(index, number),
                name=name,
            )
            if gates:
                maps, named[f"{name}_gates"] = block(maps, return_gates=True)
            else:
                maps = block(maps)
            named[name] = maps
        named[stage] = maps
        if stage != STAGES[-1]:
            name = stage.replace("conv", "transition")
            maps = ConvNorm2D(filters, name=name)(maps)
            maps = named[name] = keras.layers.AveragePooling2D(
                2, data_format="channels_last", name=f"{name}_pool"
            )(maps)

    named["conv5"] = ConvNorm2D(stages[-1], name="conv5")(maps)
    return named
