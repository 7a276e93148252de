"""torchreid state dicts into models and back: strictness, reports, real weights."""

import keras
import numpy as np
import pytest
from golden import Golden

import keras_osnet
from keras_osnet.weights import load_torchreid, read_torch_checkpoint, to_torchreid

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def state_dict():
    return Golden("osnet_x0_25").state_dict()


def osnet(**arguments):
    return keras_osnet.OSNet(0.25, **{"classes": 10, **arguments})


def test_wrappers_and_prefixes_are_seen_through(state_dict):
    wrapped = {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state_dict.items()}}
    model = osnet()
    report = load_torchreid(model, wrapped)
    assert len(report.used) == len(model.variables)
    np.testing.assert_array_equal(
        to_torchreid(model)["conv5.conv.weight"], state_dict["conv5.conv.weight"]
    )


def test_tensors_of_torch_itself(state_dict):
    import torch

    model = osnet()
    load_torchreid(model, {name: torch.from_numpy(v) for name, v in state_dict.items()})
    np.testing.assert_array_equal(
        to_torchreid(model)["classifier.weight"], state_dict["classifier.weight"]
    )


def test_classifier_of_another_size_is_skipped_with_a_warning(state_dict):
    model = osnet(classes=7)
    before = keras.ops.convert_to_numpy(model.get_layer("logits").kernel)
    with pytest.warns(UserWarning, match="has 10 classes, the model's 7"):
        report = load_torchreid(model, state_dict)
    assert set(report.missing) == {"classifier.weight", "classifier.bias"}
    assert "10 classes" in report.skipped["classifier.weight"]
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(model.get_layer("logits").kernel), before
    )
    assert "2 skipped: the checkpoint's classifier has 10 classes" in str(report)


def test_classifier_without_a_place_is_skipped_silently(state_dict, recwarn):
    report = load_torchreid(osnet(head="embedding"), state_dict)
    assert "the model none" in report.skipped["classifier.bias"]
    assert report.missing == ()
    assert not [w for w in recwarn if "classifier" in str(w.message)]


def test_checkpoint_without_classifier(state_dict):
    headless = {k: v for k, v in state_dict.items() if not k.startswith("classifier")}
    with pytest.warns(UserWarning, match="checkpoint has no classifier, the model one of 10"):
        report = load_torchreid(osnet(), headless)
    assert report.missing == ("classifier.weight", "classifier.bias")


def test_a_classifier_without_dimensions_is_another_one(state_dict):
    with pytest.warns(UserWarning, match="has 0 classes, the model's 10"):
        load_torchreid(osnet(), changed(state_dict, "classifier.weight", np.float32(1)))


def changed(state_dict, name, value):
    result = dict(state_dict)
    if value is None:
        del result[name]
    else:
        result[name] = value
    return result


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("fc.0.bias", None, "fc.0.bias: not in the checkpoint"),
        ("conv6.weight", np.zeros(3), "conv6.weight: not in the model"),
        ("fc.1.weight", np.zeros(3), r"fc.1.weight: \(3,\) in the checkpoint, \(512,\)"),
        ("classifier.bias", None, "classifier.bias: not in the checkpoint"),
        ("conv2.0.gate.fc1.weight", np.zeros((1, 16)), r"gate.fc1.weight: \(1, 16\)"),
        ("fc.0.bias", np.array(["text"]), "'fc.0.bias' must hold numbers"),
        ("fc.0.bias", np.array([1j]), "'fc.0.bias' must hold numbers"),
    ],
)
def test_nothing_is_loaded_where_something_differs(state_dict, name, value, message):
    model = osnet()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        load_torchreid(model, changed(state_dict, name, value))
    for new, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.large
def test_weights_of_another_architecture_are_recognized(state_dict):
    with pytest.raises(ValueError, match=r"width=0.25, variant='base'"):
        load_torchreid(keras_osnet.OSNet(0.5), state_dict)
    with pytest.raises(ValueError, match="variant='ain'"):
        load_torchreid(osnet(), Golden("osnet_ain_x0_25").state_dict())
    with pytest.raises(ValueError, match="not an OSNet's"):
        load_torchreid(osnet(), {"layer1.0.conv1.weight": np.zeros((64, 64, 3, 3))})


def test_models_that_are_not_an_osnet(state_dict):
    image = keras.Input((8, 8, 3))
    other = keras.Model(image, keras.layers.Conv2D(4, 3)(image), name="other")
    with pytest.raises(ValueError, match=r"must be an OSNet.*other"):
        load_torchreid(other, state_dict)
    model = osnet(head="embedding")
    extended = keras.Model(model.input, keras.layers.Dense(3, name="mine")(model.output))
    with pytest.raises(ValueError, match="mine/kernel"):
        to_torchreid(extended)


@pytest.mark.large
@pytest.mark.parametrize(
    ("file", "width"),
    [("osnet_x0_25_msmt17.pth", 0.25), ("osnet_x1_0_msmt17_rounded.pth.tar", 1.0)],
)
def test_real_checkpoints(reference, file, width):
    path = reference / "weights" / file
    model = keras_osnet.OSNet(width, weights=path)
    assert model.output_shape == (None, 4101)
    stored = read_torch_checkpoint(path)
    for name, tensor in to_torchreid(model).items():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(tensor, stored[f"module.{name}"])


@pytest.mark.large
@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
def test_every_wrapper_that_the_reader_knows(state_dict, wrapper):
    load_torchreid(osnet(), {wrapper: state_dict, "epoch": 3})


def test_the_same_name_with_and_without_prefix(state_dict):
    both = state_dict | {f"module.{name}": np.zeros_like(v) for name, v in state_dict.items()}
    with pytest.raises(ValueError, match=r"`key` must name .*'', 'module'. Received: key=None"):
        load_torchreid(osnet(), both)


def test_bfloat16_arrays_become_float32(state_dict):
    import ml_dtypes

    narrow = {
        name: value.astype(ml_dtypes.bfloat16) if value.dtype == "float32" else value
        for name, value in state_dict.items()
    }
    model = osnet()
    load_torchreid(model, narrow)
    np.testing.assert_array_equal(
        to_torchreid(model)["fc.0.weight"], narrow["fc.0.weight"].astype("float32")
    )
