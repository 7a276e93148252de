"""The convolutional backbone."""

from typing import Any

import keras

from keras_osnet.architecture.configuration import STAGES, Configuration
from keras_osnet.layers import aggregation_gate
from keras_osnet.layers.conv_norm import ConvNorm2D
from keras_osnet.layers.omni_scale_block import OmniScaleBlock


def backbone(image: Any, configuration: Configuration, dtype: Any) -> dict[str, Any]:
    """Build the convolutional part of OSNet (paper, Table 1) on an image tensor.

    Args:
        image: Tensor (batch, height, width, 3), normalized as `preprocess_input` does.
        configuration: The architecture. Gating vectors are among the intermediates if its
            `outputs` name any.
        dtype: Dtype policy of the layers.

    Returns:
        The named intermediates in the order of the network: `conv1`, `maxpool` (with the ImageNet
        stem), and for each stage the blocks (`conv2_block1`, …), their gating vectors
        (`conv2_block1_gates`, …), the stage (`conv2`, the same tensor as its last block's) and the
        transition to the next (`transition2`); last `conv5`, the feature map that the heads pool.
    """
    stem, *stages = configuration.channels
    has_gates = configuration.fusion in aggregation_gate.KINDS
    gates = has_gates and any(
        str(output).endswith("_gates") for output in configuration.outputs or ()
    )
    named: dict[str, Any] = {}

    is_large = configuration.stem == "imagenet"
    maps = named["conv1"] = ConvNorm2D(
        stem,
        kernel_size=7 if is_large else 3,
        strides=2 if is_large else 1,
        normalization=configuration.stem_norm,
        dtype=dtype,
        name="conv1",
    )(image)
    if is_large:
        # Zero padding is equivalent to torchreid's minus infinity: no value is negative after ReLU.
        maps = keras.layers.ZeroPadding2D(
            1, data_format="channels_last", dtype=dtype, name="maxpool_pad"
        )(maps)
        maps = named["maxpool"] = keras.layers.MaxPooling2D(
            3, strides=2, data_format="channels_last", dtype=dtype, name="maxpool"
        )(maps)

    for index, (stage, filters) in enumerate(zip(STAGES, stages, strict=True)):
        for number in range(configuration.depths[index]):
            name = f"{stage}_block{number + 1}"
            block = OmniScaleBlock(
                filters,
                streams=configuration.streams,
                fusion=configuration.fusion,
                convolution=configuration.convolution,
                instance_norm=configuration.instance_norm(index, number),
                dtype=dtype,
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
            maps = ConvNorm2D(filters, dtype=dtype, name=name)(maps)
            maps = named[name] = keras.layers.AveragePooling2D(
                2, data_format="channels_last", dtype=dtype, name=f"{name}_pool"
            )(maps)

    named["conv5"] = ConvNorm2D(stages[-1], dtype=dtype, name="conv5")(maps)
    return named
