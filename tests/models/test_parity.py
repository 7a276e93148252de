"""The nine networks of torchreid, number by number."""

import keras
import numpy as np
import pytest
from golden import NAMES, Golden

import keras_osnet
from keras_osnet.weights import load_torchreid, to_torchreid

pytestmark = pytest.mark.backends

QUICK = ("osnet_x0_25", "osnet_ibn_x1_0", "osnet_ain_x0_25")
FEW_OF_NAMES = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.large) for name in NAMES
]
"""One of each variant by default, the others as large."""

TOLERANCE = 1e-5
"""Of the largest value, in float32."""


def largest_difference(outputs, expected):
    return np.abs(keras.ops.convert_to_numpy(outputs) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", FEW_OF_NAMES)
def test_same_numbers_as_the_reference(name):
    golden = Golden(name)
    model = keras_osnet.OSNet(
        **keras_osnet.list_models()[name],
        classes=golden.logits.shape[1],
        input_shape=golden.images.shape[1:],
        outputs=["pooled", "embedding", "logits"],
    )
    load_torchreid(model, golden.state_dict())
    outputs = model(golden.images)
    assert largest_difference(outputs["pooled"], golden.pooled_maps) <= TOLERANCE
    assert largest_difference(outputs["embedding"], golden.embeddings) <= TOLERANCE
    assert largest_difference(outputs["logits"], golden.logits) <= TOLERANCE


@pytest.mark.parametrize("name", FEW_OF_NAMES)
def test_round_trip_to_torchreid_names_is_bit_exact(name):
    golden = Golden(name)
    state_dict = golden.state_dict()
    model = keras_osnet.OSNet(**keras_osnet.list_models()[name], classes=golden.logits.shape[1])
    report = load_torchreid(model, state_dict)
    counts = {tensor for tensor in state_dict if tensor.endswith("num_batches_tracked")}
    assert set(report.used) == set(state_dict) - counts
    assert set(report.skipped) == counts
    assert report.missing == ()

    back = to_torchreid(model)
    assert list(back) == list(state_dict)
    for tensor, values in state_dict.items():
        if tensor not in counts:
            assert back[tensor].dtype == values.dtype
            np.testing.assert_array_equal(back[tensor], values)
