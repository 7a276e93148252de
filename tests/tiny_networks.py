"""A network that trains quickly: an OSNet's training step takes seconds to compile."""

import keras

SIZE = (32, 16)


def tiny_backbone(seed=0, preprocessing=True):
    """Build a model from pixels (or normalized images) of `SIZE` to an embedding of 8 numbers."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((*SIZE, 3))
    maps = image
    if preprocessing:
        maps = keras.layers.Rescaling(1 / 127.5, -1.0, name="preprocessing")(maps)
    maps = keras.layers.Conv2D(8, 5, strides=4, name="conv")(maps)
    maps = keras.layers.BatchNormalization(name="norm")(maps)
    maps = keras.layers.ReLU()(maps)
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    return keras.Model(image, keras.layers.Dense(8, name="fc")(pooled), name="tiny")
