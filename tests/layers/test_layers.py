"""Every layer: shapes, precision, serialization, bad input, on the backend that is set."""

import keras
import numpy as np
import pytest

from keras_osnet.layers import AggregationGate, ConvNorm2D, LiteConv2D, OmniScaleBlock
from keras_osnet.layers.aggregation_gate import KINDS
from keras_osnet.layers.omni_scale_block import CONVOLUTIONS, FUSIONS

pytestmark = pytest.mark.backends

LAYERS = {
    "stem": lambda **kw: ConvNorm2D(8, kernel_size=7, strides=2, normalization="instance", **kw),
    "linear": lambda **kw: ConvNorm2D(8, activation=None, **kw),
    "bare": lambda **kw: ConvNorm2D(8, kernel_size=3, normalization=None, **kw),
    "lite": lambda **kw: LiteConv2D(8, **kw),
    **{
        f"block-{fusion}": lambda fusion=fusion, **kw: OmniScaleBlock(64, fusion=fusion, **kw)
        for fusion in FUSIONS
    },
    "block-full": lambda **kw: OmniScaleBlock(32, streams=2, convolution="full", **kw),
    "block-equal-depth": lambda **kw: OmniScaleBlock(32, streams=(2, 2), **kw),
    "block-t5": lambda **kw: OmniScaleBlock(32, streams=5, **kw),
    "block-ibn": lambda **kw: OmniScaleBlock(32, instance_norm="output", **kw),
    "block-ain": lambda **kw: OmniScaleBlock(32, instance_norm="residual", **kw),
}


def maps(height=8, width=4, channels=16, batch=2):
    return np.random.default_rng(0).standard_normal((batch, height, width, channels), "float32")


def model_of(layer):
    image = keras.Input((None, None, 16))
    return keras.Model(image, layer(image))


@pytest.mark.parametrize("name", LAYERS)
def test_dynamic_sizes_and_symbolic_shape_agree_with_what_is_computed(name):
    layer = LAYERS[name]()
    model = model_of(layer)
    for height, width in ((8, 4), (10, 6), (7, 5)):
        images = maps(height, width)
        outputs = model(images)
        assert tuple(outputs.shape) == layer.compute_output_shape(images.shape)
    assert model.output_shape == layer.compute_output_shape((None, None, None, 16))


@pytest.mark.parametrize("name", LAYERS)
def test_saved_and_reloaded_model_gives_the_same_output(name, tmp_path):
    model = model_of(LAYERS[name]())
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert reloaded.layers[1].get_config() == model.layers[1].get_config()
    np.testing.assert_array_equal(
        reloaded.predict(maps(), verbose=0), model.predict(maps(), verbose=0)
    )


@pytest.mark.large
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_close_to_float32(name, policy):
    exact = LAYERS[name]()
    layer = LAYERS[name](dtype=policy)
    expected = keras.ops.convert_to_numpy(exact(maps()))
    layer.build((None, None, None, 16))
    layer.set_weights(exact.get_weights())
    outputs = layer(maps())
    assert keras.backend.standardize_dtype(outputs.dtype) == policy.removeprefix("mixed_")
    assert {variable.dtype for variable in layer.variables} == {"float32"}
    outputs = keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))
    tolerance = 0.01 if policy == "mixed_float16" else 0.08
    assert np.abs(outputs - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("convolution", CONVOLUTIONS)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_training_step_reaches_every_variable(fusion, convolution):
    image = keras.Input((8, 4, 16))
    block = OmniScaleBlock(64, fusion=fusion, convolution=convolution, gate_reduction=1)
    pooled = keras.layers.GlobalAveragePooling2D()(block(image))
    model = keras.Model(image, keras.layers.Dense(3)(pooled))
    model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(True))
    before = [keras.ops.convert_to_numpy(variable) for variable in block.variables]
    loss = model.train_on_batch(maps(batch=6), np.array([0, 1, 2, 0, 1, 2]))
    assert np.isfinite(loss)
    untouched = [
        variable.path
        for variable, old in zip(block.variables, before, strict=True)
        if np.array_equal(keras.ops.convert_to_numpy(variable), old)
    ]
    assert untouched == []


@pytest.mark.parametrize("kind", KINDS)
def test_gate_computes_equation_3(kind):
    gate = AggregationGate(kind, reduction=4)
    streams = [maps() * scale for scale in (1.0, -0.5, 2.0)]
    gate.build([stream.shape for stream in streams])
    rng = np.random.default_rng(1)
    gate.set_weights([rng.standard_normal(w.shape) for w in gate.get_weights()])
    fused, gates = gate(streams, return_gates=True)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    expected_gates = []
    for index, stream in enumerate(streams):
        if kind == "fixed":
            logits = np.tile(keras.ops.convert_to_numpy(gate.gate_logits)[index], (2, 1))
        else:
            own = index if kind == "separate" else 0
            hidden_w, hidden_b = gate.squeeze[own].get_weights()
            out_w, out_b = gate.excite[own].get_weights()
            hidden = np.maximum(stream.mean(axis=(1, 2)) @ hidden_w + hidden_b, 0)
            logits = hidden @ out_w + out_b
        expected_gates.append(sigmoid(logits))
    expected = sum(
        gating[:, None, None, :] * stream
        for gating, stream in zip(expected_gates, streams, strict=True)
    )
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(gates), np.stack(expected_gates, axis=1), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(keras.ops.convert_to_numpy(fused), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fusion", ["addition", "concatenation"])
def test_streams_without_a_gate_are_added_or_concatenated(fusion):
    block = OmniScaleBlock(64, streams=(1, 2), fusion=fusion)
    block(maps())
    reduced = block.reduce(maps())
    streams = []
    for stream in block.streams:
        outputs = reduced
        for layer in stream:
            outputs = layer(outputs)
        streams.append(outputs)
    if fusion == "addition":
        fused = streams[0] + streams[1]
    else:
        fused = keras.ops.concatenate(streams, axis=-1)
    expected = keras.ops.relu(block.expand(fused) + block.shortcut(maps()))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(block(maps())),
        keras.ops.convert_to_numpy(expected),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("fusion", KINDS)
def test_gating_vectors_of_a_block(fusion):
    block = OmniScaleBlock(64, streams=3, fusion=fusion)
    image = keras.Input((None, None, 16))
    model = keras.Model(image, block(image, return_gates=True))
    _, gates = model(maps())
    channels = 1 if fusion == "streamwise" else 16
    assert tuple(gates.shape) == (2, 3, channels)
    assert model.output_shape[1] == (None, 3, channels)
    gates = keras.ops.convert_to_numpy(gates)
    assert ((gates > 0) & (gates < 1)).all()


def test_initial_values_are_the_references():
    block = OmniScaleBlock(512)
    block.build((None, 4, 4, 512))
    lite = block.streams[0][0]
    cases = [
        (block.expand.convolution.kernel, np.sqrt(2 / 512)),
        (lite.pointwise.kernel, np.sqrt(2 / 128)),
        (lite.depthwise.kernel, np.sqrt(2 / (9 * 128))),
        (block.gate.squeeze[0].kernel, np.sqrt(2 / 8)),
        (block.gate.excite[0].kernel, np.sqrt(2 / 128)),
    ]
    for variable, std in cases:
        values = keras.ops.convert_to_numpy(variable)
        assert abs(values.std() / std - 1) < 5 / np.sqrt(2 * values.size)
        assert abs(values.mean()) < 5 * std / np.sqrt(values.size)
        # Normal, not truncated: a truncated normal has no values beyond two of its own std.
        if values.size > 10_000:
            assert np.abs(values).max() > 3 * std
    assert not keras.ops.convert_to_numpy(block.gate.excite[0].bias).any()
    assert (keras.ops.convert_to_numpy(lite.norm.gamma) == 1).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConvNorm2D(0), "`filters`.*Received: 0"),
        (lambda: ConvNorm2D(8, kernel_size=2), "`kernel_size` must be odd.*2"),
        (lambda: ConvNorm2D(8, normalization="layer"), "`normalization`.*'layer'"),
        (lambda: ConvNorm2D(8, activation="gelu"), "`activation`.*'gelu'"),
        (lambda: LiteConv2D(8.0), r"`filters`.*8\.0"),
        (lambda: LiteConv2D(8, 4), "`kernel_size` must be odd.*4"),
        (lambda: AggregationGate("mean"), "`kind`.*'mean'"),
        (lambda: AggregationGate(reduction=0), "`reduction`.*0"),
        (lambda: OmniScaleBlock(66), "multiple of `reduction`.*66"),
        (lambda: OmniScaleBlock(64, streams=0), "`streams`.*0"),
        (lambda: OmniScaleBlock(64, streams=True), "`streams`.*True"),
        (lambda: OmniScaleBlock(64, streams=(1, -1)), "`streams`.*-1"),
        (lambda: OmniScaleBlock(64, fusion="max"), "`fusion`.*'max'"),
        (lambda: OmniScaleBlock(64, convolution="deep"), "`convolution`.*'deep'"),
        (lambda: OmniScaleBlock(64, instance_norm=True), "`instance_norm`.*True"),
        (lambda: OmniScaleBlock(64)(np.zeros((2, 64), "float32")), r"shape \(2, 64\)"),
        (lambda: LiteConv2D(8)(np.zeros((2, 8, 8), "float32")), r"shape \(2, 8, 8\)"),
        (lambda: AggregationGate()(maps()), "list of feature maps"),
        (lambda: AggregationGate()([maps(), maps(9)]), "one shape"),
        (
            lambda: OmniScaleBlock(64, fusion="addition")(maps(), return_gates=True),
            "return_gates.*'addition'",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("number", [10**9, 10**30])
def test_numbers_that_would_take_all_memory(number):
    for layer in (LiteConv2D, ConvNorm2D, OmniScaleBlock):
        with pytest.raises(ValueError, match=r"`filters` must be at most 65,536. Received: 10"):
            layer(number)
    for layer in (LiteConv2D, ConvNorm2D):
        with pytest.raises(ValueError, match=r"`kernel_size` must be at most 255. Received: 10"):
            layer(8, kernel_size=number)
    with pytest.raises(ValueError, match=r"`streams` must be a whole number.*Received: 10"):
        OmniScaleBlock(8, streams=number)


def test_numbers_of_numpy():
    """Keras's own layers take only Python's."""
    three, eight = np.int64(3), np.int64(8)
    for layer in (
        LiteConv2D(eight, three),
        ConvNorm2D(eight, kernel_size=three, strides=np.int32(2)),
        OmniScaleBlock(eight, streams=[np.int64(1)], reduction=np.int64(2)),
    ):
        config = layer.get_config()
        assert type(layer).from_config(config).get_config() == config
        assert all(type(value) is not np.int64 for value in config.values())
