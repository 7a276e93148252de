"""What Keras does to a model leaves its numbers as they are, or is refused at the first step."""

import copy
import pickle

import keras
import numpy as np
import pytest

from keras_osnet import OSNet, load_model
from keras_osnet.architecture import OSNetModel
from keras_osnet.architecture.describe import configuration_of
from keras_osnet.deploy import fold_batch_norm
from keras_osnet.weights import load_torchreid, to_torchreid

pytestmark = [pytest.mark.large, pytest.mark.backends]

SMALL = {"depths": (1, 1, 1), "streams": 2, "feature_dim": 8, "input_shape": (32, 16, 3)}
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 32, 16, 3), "uint8")


def osnet(**arguments):
    keras.utils.set_random_seed(1)
    return OSNet(0.25, **{**SMALL, "include_preprocessing": True, "classes": 5, **arguments})


def numbers(model, images=IMAGES):
    return keras.ops.convert_to_numpy(model(images))


def saved(model, folder):
    model.save(folder / "model.keras")
    return keras.saving.load_model(folder / "model.keras")


@pytest.fixture(scope="module")
def model():
    return osnet()


def test_saved_copied_and_pickled(model, tmp_path):
    for other in (
        saved(model, tmp_path),
        load_model(tmp_path / "model.keras"),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
    ):
        assert type(other) is OSNetModel
        assert other.get_config() == model.get_config()
        np.testing.assert_array_equal(numbers(other), numbers(model))


def test_rebuilt_from_its_configuration(model):
    other = OSNetModel.from_config(model.get_config())
    other.set_weights(model.get_weights())
    np.testing.assert_array_equal(numbers(other), numbers(model))


def test_a_clone_is_a_plain_model_that_is_known_by_its_layers(model, tmp_path):
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for other in (clone, saved(clone, tmp_path)):
        assert type(other) is not OSNetModel
        assert configuration_of(other) == model.configuration
        np.testing.assert_array_equal(numbers(other), numbers(model))
        for name, tensor in to_torchreid(model).items():
            np.testing.assert_array_equal(to_torchreid(other)[name], tensor)


def test_parts_and_wholes(model, tmp_path):
    part = keras.Model(
        model.get_layer("transition2_pool").output, model.get_layer("embedding").output
    )
    maps = keras.Model(model.input, model.get_layer("transition2_pool").output)
    whole = keras.Model(model.input, model.get_layer("embedding").output)
    np.testing.assert_allclose(numbers(part, numbers(maps)), numbers(whole), rtol=1e-5, atol=1e-6)
    image = keras.Input((32, 16, 3))
    around = keras.Model(image, keras.layers.Dense(2)(model(image)))
    for other in (maps, around):
        np.testing.assert_array_equal(numbers(saved(other, tmp_path)), numbers(other))
    assert type(around.get_layer(model.name)) is OSNetModel


def test_replace_shares_the_variables(model):
    embedding = model.replace(head="embedding")
    assert embedding.configuration.classes is None
    both = embedding.replace(head="classification", classes=4, outputs=["embedding", "logits"])
    assert both.output_names == ["embedding", "logits"]
    assert both.get_layer("conv1") is embedding.get_layer("conv1") is model.get_layer("conv1")
    assert model.replace(classifier_activation=None).get_layer("logits") is model.layers[-2]
    assert model.replace(outputs=["logits"]).replace(outputs=None).output is not None
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(both(IMAGES)["embedding"]), numbers(embedding)
    )
    with pytest.raises(ValueError, match=r"`replace` changes .*Received: width"):
        model.replace(width=0.5)
    with pytest.raises(ValueError, match=r"`outputs` .*\['conv4_block1_gates'\]"):
        model.replace(outputs=["conv4_block1_gates"])


def test_what_is_cut_off_is_not_built_again(model, tmp_path):
    """A file has no values for it."""
    loaded = saved(model.replace(outputs=["conv2"]), tmp_path)
    with pytest.raises(ValueError, match=r"last feature map.*conv2"):
        loaded.replace(outputs=None)


def test_frozen_layers_stay_frozen(tmp_path):
    model = osnet()
    model.get_layer("conv1").trainable = False
    loaded = saved(model, tmp_path)
    assert not loaded.get_layer("conv1").trainable
    assert len(loaded.trainable_variables) == len(model.trainable_variables)
    model.trainable = False
    assert not saved(model, tmp_path).trainable_variables


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_precision(dtype, tmp_path):
    model = osnet(dtype=dtype, fusion="separate")
    assert keras.config.dtype_policy().name == "float32"
    assert model.get_layer("conv3_block1").compute_dtype == model.compute_dtype
    assert model.get_config()["dtype"] == dtype
    before = numbers(model)
    assert before.dtype == np.float32
    other = saved(model, tmp_path)
    assert other.get_layer("conv3_block1").gate.squeeze[0].dtype_policy.name == dtype
    np.testing.assert_array_equal(numbers(other), before)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(numbers(saved(clone, tmp_path)), before)


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
@pytest.mark.parametrize("plain", [False, True])
def test_quantized_dense_layers(mode, plain, tmp_path):
    model = osnet(fusion="separate")
    if plain:
        model = keras.Model(model.input, keras.layers.Dense(2, name="age")(model.output))
    exact = numbers(model)
    model.quantize(mode, filters=_is_dense)
    assert model.get_layer("conv2_block1").gate.squeeze[1].quantization_mode == mode
    before = numbers(model)
    assert 0 < np.abs(before - exact).max() < 0.2
    for _ in range(2):
        model = saved(model, tmp_path)
        assert model.get_layer("conv2_block1").gate.squeeze[1].quantization_mode == mode
        np.testing.assert_array_equal(numbers(model), before)
    if not plain:
        with pytest.raises(ValueError, match=rf"quantized.*gate/excite_2 in {mode}"):
            to_torchreid(model)
        with pytest.raises(ValueError, match=r"quantized"):
            fold_batch_norm(model)


def _is_dense(layer):
    return isinstance(layer, keras.layers.Dense)


def test_quantization_that_cannot_be_saved_is_refused(model):
    config = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    with pytest.raises(ValueError, match="no other could be saved"):
        model.quantize(config=config)
    plain = keras.models.clone_model(model)
    plain.quantize(config=config, filters=_is_dense)
    with pytest.raises(ValueError, match="no other could be saved"):
        plain.get_config()
    with pytest.raises(ValueError, match="float16"):
        osnet(dtype="mixed_float16").quantize("int8")


def test_quantizing_warns_of_nothing(recwarn):
    osnet().quantize("int8")
    assert not [each for each in recwarn if "quantize" in str(each.message)]


def test_lora_is_merged(tmp_path):
    model = osnet()
    for layer in (model.get_layer("fc"), model.get_layer("conv5").convolution):
        layer.enable_lora(2)
        layer.lora_kernel_b.assign(keras.ops.ones(layer.lora_kernel_b.shape) / 10)
    before = numbers(model)
    np.testing.assert_allclose(numbers(saved(model, tmp_path)), before, rtol=1e-5, atol=1e-6)
    other = osnet()
    load_torchreid(other, to_torchreid(model))
    np.testing.assert_allclose(numbers(other), before, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="LoRA"):
        load_torchreid(model, to_torchreid(other))


def test_inputs_that_no_configuration_rebuilds():
    image = keras.Input((32, 16, 3), name="crop")
    assert type(osnet(input_tensor=image, input_shape=None)) is OSNetModel
    for other in (
        keras.Input((32, 16, 3), dtype="uint8"),
        keras.Input((32, 16, 3), batch_size=3),
        keras.layers.RandomFlip()(image),
    ):
        model = osnet(input_tensor=other, input_shape=None)
        assert type(model) is not OSNetModel
        assert numbers(model).shape == (3, 5)


def test_channels_first_of_a_users_settings(model, tmp_path):
    before = numbers(model)
    keras.config.set_image_data_format("channels_first")
    try:
        np.testing.assert_array_equal(numbers(model), before)
        np.testing.assert_array_equal(numbers(saved(model, tmp_path)), before)
        built = osnet()
        np.testing.assert_allclose(built.predict(IMAGES, verbose=0), before, rtol=1e-5, atol=1e-6)
    finally:
        keras.config.set_image_data_format("channels_last")
