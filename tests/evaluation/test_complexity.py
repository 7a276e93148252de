"""The counts of the paper, at every width and size."""

import keras
import pytest

import keras_osnet
from keras_osnet.evaluation import complexity

PUBLISHED = {
    1.0: (2_193_616, 2_169_508, 978_878_352),
    0.75: (1_299_224, 1_285_754, 571_754_536),
    0.5: (636_520, 630_034, 272_901_064),
    0.25: (203_568, 201_864, 82_316_000),
}
SIZES = {
    (320, 160): 1_529_331_600,
    (192, 96): 550_748_048,
    (128, 64): 244_940_688,
    (64, 32): 61_456_272,
}


def counts(model, size=None):
    result = complexity(model, size)
    return result.parameters, result.trainable_parameters, result.mult_adds


@pytest.mark.parametrize("width", PUBLISHED)
def test_widths(width):
    assert counts(keras_osnet.OSNet(width, head="embedding")) == PUBLISHED[width]
    assert counts(keras_osnet.OSNet(width, classes=751)) == PUBLISHED[width]


def test_sizes():
    anything = keras_osnet.OSNet(1.0, head="embedding", input_shape=(None, None, 3))
    for size, mult_adds in SIZES.items():
        assert complexity(anything, size).mult_adds == mult_adds
    with pytest.raises(ValueError, match="`image_size` must be given"):
        complexity(anything)


def test_ibn_and_full_convolutions():
    assert complexity(keras_osnet.OSNet(1.0, variant="ibn")).parameters == 2_194_640
    # The paper has 6.9 M and 3,384.9 M; the counter that gives its other figures gives these.
    full = complexity(keras_osnet.OSNet(1.0, convolution="full"))
    assert (full.parameters, full.mult_adds) == (6_893_136, 3_376_185_232)


def test_named_outputs_and_gates_cost_nothing():
    model = keras_osnet.OSNet(0.25, outputs=["conv2_block1_gates", "embedding"])
    assert counts(model) == PUBLISHED[0.25]


def test_models_that_are_not_an_osnet():
    inner = keras_osnet.OSNet(0.25, head="embedding")
    image = keras.Input((256, 128, 3))
    nested = keras.Model(image, inner(image), name="nested")
    with pytest.raises(ValueError, match=r"must be an OSNet itself.*nested"):
        complexity(nested)
