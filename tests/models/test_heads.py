"""Heads that the paper does not have: a batch-norm neck, GeM and a classifier by cosines."""

import re
import warnings

import keras
import numpy as np
import pytest

import keras_osnet
from keras_osnet.architecture.describe import describe
from keras_osnet.deploy import export
from keras_osnet.models.load_model import open_checkpoint
from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import synthetic_people
from keras_osnet.weights import save_safetensors, to_torchreid, write_torch_checkpoint

SIZE = (32, 16, 3)
IMAGES = np.random.default_rng(0).standard_normal((3, *SIZE)).astype("float32")
HEADS = [
    {"head": "embedding", "neck": "bn", "pooling": "gem"},
    {"head": "embedding", "neck": "bn", "feature_dim": None, "normalize": True},
    {"classes": 5, "neck": "bn", "pooling": "gem"},
    {"classes": 5, "neck": "bn", "feature_dim": None},
    {"classes": 5, "classifier_scale": 16},
    {"classes": 5, "neck": "bn", "classifier_scale": 16},
    {"head": "attribute", "classes": 3, "neck": "bn", "pooling": "gem"},
]


def small(**arguments):
    keras.utils.set_random_seed(0)
    arguments = {"depths": (1, 1, 1), "streams": 1, "input_shape": SIZE, **arguments}
    return with_values(keras_osnet.OSNet(0.25, **arguments))


def with_values(model):
    """Give the head values like a trained one's: initial features are nearly zero."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if layer.name == "fc":
            layer.kernel.assign(rng.normal(size=layer.kernel.shape) / 8)
        if layer.name == "neck":
            for weight in layer.weights:
                weight.assign(rng.uniform(0.5, 2, weight.shape))
        if layer.name == "pooled" and layer.weights:
            layer.exponent.assign([2.5])
    return model


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.backends
def test_the_neck_is_a_batch_norm_without_a_shift():
    model = small(classes=5, neck="bn", outputs=["features", "embedding", "logits"])
    outputs = {name: numpy(tensor) for name, tensor in model(IMAGES).items()}
    assert outputs["features"].max() > 0.1
    gamma, mean, variance = (numpy(each) for each in model.get_layer("neck").weights)
    expected = (outputs["features"] - mean) / np.sqrt(variance + 1e-5) * gamma
    np.testing.assert_allclose(outputs["embedding"], expected, rtol=1e-4, atol=1e-4)
    (kernel,) = (numpy(each) for each in model.get_layer("logits").weights)  # and no bias
    np.testing.assert_allclose(outputs["logits"], expected @ kernel, rtol=1e-3, atol=1e-3)


@pytest.mark.backends
def test_mixed_precision():
    model = small(classes=5, neck="bn", pooling="gem", classifier_scale=16, dtype="mixed_float16")
    assert [np.isfinite(numpy(model(value * IMAGES))).all() for value in (0, 1, 1e3)] == [True] * 3
    for name in ("pooled", "features", "neck", "embedding", "logits"):
        assert model.get_layer(name).output.dtype == "float32"


def test_a_retrieval_model_ends_after_the_neck():
    model = small(classes=5, neck="bn", classifier_scale=16)
    embedder = model.replace(head="embedding")
    assert embedder.layers[-1].name == "embedding"
    assert embedder.configuration.neck == "bn"
    both = model.replace(outputs=["embedding", "predictions"])(IMAGES)
    np.testing.assert_array_equal(numpy(embedder(IMAGES)), numpy(both["embedding"]))
    again = embedder.replace(head="classification", classes=5)
    assert again.configuration.classifier_scale is None
    assert again.get_layer("neck") is model.get_layer("neck")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(head, marks=[] if index == 2 else pytest.mark.large)
        for index, head in enumerate(HEADS)
    ],
    ids=str,
)
def test_every_file_keeps_them(arguments, tmp_path):
    model = small(**arguments)
    expected = numpy(model(IMAGES))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numpy(loaded(IMAGES)), expected)
    assert describe(keras.Model(loaded.input, loaded.output)) == describe(model)
    save_safetensors(model, tmp_path / "model.safetensors")
    write_torch_checkpoint(tmp_path / "model.pth", to_torchreid(model))
    model.save_weights(tmp_path / "model.weights.h5")
    for name in ("model.keras", "model.safetensors", "model.pth", "model.weights.h5"):
        same = keras_osnet.OSNet(
            0.25,
            weights=tmp_path / name,
            **{"depths": (1, 1, 1), "streams": 1, "input_shape": SIZE, **arguments},
        )
        np.testing.assert_array_equal(numpy(same(IMAGES)), expected)


def test_a_torch_file_says_which_head_it_has(tmp_path):
    model = small(classes=5, neck="bn", pooling="gem", classifier_scale=16)
    write_torch_checkpoint(tmp_path / "model.pth", to_torchreid(model))
    found = open_checkpoint(tmp_path / "model.pth").description
    wanted = {"neck": "bn", "pooling": "gem", "classifier_scale": 16.0}
    assert wanted.items() <= found.items()


def test_published_weights_load_and_fresh_parts_are_named():
    arguments = {"head": "embedding", "input_shape": (64, 32, 3)}
    plain = keras_osnet.OSNet(0.25, weights="synthetic", **arguments)
    with pytest.warns(UserWarning, match="pooling exponent and neck of osnet_x0_25 were not"):
        model = keras_osnet.OSNet(0.25, weights="synthetic", neck="bn", pooling="gem", **arguments)
    for one, other in zip(
        plain.get_layer("fc_norm").weights, model.get_layer("fc_norm").weights, strict=True
    ):
        np.testing.assert_array_equal(numpy(one), numpy(other))
    assert numpy(model.get_layer("pooled").exponent).tolist() == [3.0]


def test_a_classifier_is_fresh_under_another_head():
    state = to_torchreid(small(classes=5))
    for arguments, reason in (
        ({"neck": "bn"}, "the model's classifier has a neck before it, the checkpoint's has not"),
        ({"classifier_scale": 8}, "the model's classifier has cosines for logits"),
    ):
        model = small(classes=5, **arguments)
        kernel = numpy(model.get_layer("logits").kernel)
        with pytest.warns(UserWarning, match=reason) as caught:
            report = keras_osnet.weights.load_torchreid(model, state)
        assert len(caught) == 1
        assert "classifier.weight" in report.missing
        np.testing.assert_array_equal(numpy(model.get_layer("logits").kernel), kernel)


def test_a_checkpoint_s_neck_is_not_dropped(tmp_path):
    model = small(head="embedding", neck="bn", pooling="gem")
    with pytest.raises(ValueError, match=re.escape("neck.weight: not in the model")):
        keras_osnet.weights.load_torchreid(small(head="embedding"), to_torchreid(model))
    # A model without a head does without all of it.
    keras_osnet.weights.load_torchreid(small(include_top=False), to_torchreid(model))
    plain = small(head="embedding")
    plain.save_weights(tmp_path / "plain.weights.h5")
    arguments = {"head": "embedding", "depths": (1, 1, 1), "streams": 1, "input_shape": SIZE}
    with pytest.raises(ValueError, match='only the model has neck="bn"'):
        keras_osnet.OSNet(0.25, weights=tmp_path / "plain.weights.h5", neck="bn", **arguments)


def test_they_do_not_apply_without_their_head():
    assert small(include_top=False, neck="bn").configuration.neck is None
    assert small(head="embedding", classifier_scale=8).configuration.classifier_scale is None
    assert "features" not in [layer.name for layer in small(head="attribute").layers]


@pytest.mark.large
@pytest.mark.parametrize("suffix", ["tflite", "onnx"])
@pytest.mark.parametrize("arguments", [HEADS[0], HEADS[1], HEADS[5]], ids=str)
def test_exported_files_are_equal(arguments, suffix, tmp_path):
    people = synthetic_people(4, cameras=1, views=1, image_size=(64, 32)).images
    model = small(**{**arguments, "input_shape": (64, 32, 3), "include_preprocessing": True})
    report = export(model, tmp_path / f"model.{suffix}", images=people)
    assert report.cosine_min > 0.99999


@pytest.mark.large
def test_int8_files_are_close_and_no_negative_is_raised_to_a_power(tmp_path):
    people = synthetic_people(16, cameras=2, views=1, image_size=(64, 32)).images
    model = keras_osnet.OSNet(
        0.25,
        head="embedding",
        neck="bn",
        pooling="gem",
        weights=None,
        input_shape=(64, 32, 3),
        include_preprocessing=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = export(
            with_values(model), tmp_path / "m.tflite", quantization="int8", calibration=people
        )
    assert report.cosine_median > 0.98
    black = np.zeros((1, 64, 32, 3), "uint8")
    vectors = Embedder(tmp_path / "m.tflite").embed(black)
    assert np.isfinite(vectors).all()
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(
        str(tmp_path / "m.tflite"),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], people[:1])
    interpreter.invoke()
    powers = [each for each in interpreter._get_ops_details() if each["op_name"] == "POW"]
    assert len(powers) == 2
    for each in powers:
        assert interpreter.get_tensor(each["inputs"][0]).min() > 0
