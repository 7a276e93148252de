"""Networks that are trained together, against plain loops and against training one alone."""

import math
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from keras import ops

import keras_osnet
from keras_osnet.losses import (
    BatchHardTripletLoss,
    LabelSmoothingSparseCrossentropy,
    MutualLearningLoss,
)
from keras_osnet.optimizers import (
    CoupledSGD,
)
from keras_osnet.training import mutual_learning_model
from keras_osnet.training.mutual_learning import MutualLearning

QUICKLY = {"jit_compile": True} if keras.backend.backend() == "jax" else {"run_eagerly": True}
"""For a step or two of an OSNet, which TensorFlow takes longer to compile than to run."""

FROM_LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def linear(seed, features=5, classes=3, head="logits"):
    """A linear classifier of 15 numbers: what it learns can be worked out by loops."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((features,), name="image")
    logits = keras.layers.Dense(classes, use_bias=False, name="logits", dtype="float32")(image)
    return keras.Model(image, {head: logits}, name="network")


def osnet(seed, **arguments):
    keras.utils.set_random_seed(seed)
    small = {
        "input_shape": (32, 32, 3),
        "stem": "cifar",
        "depths": (1, 1, 1),
        "streams": 1,
        "fusion": "addition",
        "classes": 4,
        "outputs": ["embedding", "logits"],
    }
    return keras_osnet.OSNet(0.25, **{**small, **arguments})


def losses(model, of=("embedding", "logits")):
    kinds = {
        "embedding": BatchHardTripletLoss(0.3),
        "logits": LabelSmoothingSparseCrossentropy(0.1, from_logits=True),
    }
    named = {name: name.rpartition("_")[0] for name in model.output_names}
    return {name: kinds[kind] for name, kind in named.items() if kind in of}


def labels_of(model, labels):
    return dict.fromkeys(model.output_names, labels)


def samples():
    rng = np.random.default_rng(0)
    identities = np.repeat(np.arange(4), 4)
    looks = rng.standard_normal((4, 1, 1, 3))
    images = looks[identities] + 0.1 * rng.standard_normal((16, 32, 32, 3))
    return images.astype("float32"), identities


def values(model):
    return [ops.convert_to_numpy(variable) for variable in model.weights]


def assert_values_equal(ones, others, **tolerances):
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_allclose(one, other, **tolerances)


def softmax(row):
    exponentials = [math.exp(value - max(row)) for value in row]
    return [value / sum(exponentials) for value in exponentials]


def plain_step(kernels, images, labels, weight, rate):
    """Return the loss of all networks and their kernels after a step of gradient descent."""
    predictions = [[softmax(row) for row in (images @ kernel).tolist()] for kernel in kernels]
    loss, stepped = 0.0, []
    for index, (kernel, own) in enumerate(zip(kernels, predictions, strict=True)):
        peers = predictions[:index] + predictions[index + 1 :]
        slope = np.zeros_like(kernel)
        for sample, (image, label) in enumerate(zip(images, labels, strict=True)):
            loss -= math.log(own[sample][label]) / len(images)
            for k, q in enumerate(own[sample]):
                of_logit = q - (k == label)
                for peer in peers:
                    p = peer[sample][k]
                    loss += weight * p * math.log(p / q) / len(peers) / len(images)
                    of_logit += weight * (q - p) / len(peers)
                slope[:, k] += image * of_logit / len(images)
        stepped.append(kernel - rate * slope)
    return loss, stepped


@pytest.mark.parametrize(("count", "weight"), [(2, 1.0), (2, 0.0), (3, 2.5)])
@pytest.mark.backends
def test_three_steps_equal_plain_loops(count, weight):
    """Three, because torch adds each step's gradients to what is left of the last one's."""
    peers = [linear(seed) for seed in range(count)]
    model = mutual_learning_model(peers, weight)
    model.compile(CoupledSGD(0.5, l2=0.0), loss=dict.fromkeys(model.output_names, FROM_LOGITS))
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((6, 5)).astype("float32"), rng.integers(0, 3, 6)

    kernels = [values(peer)[0].astype("float64") for peer in peers]
    for _ in range(3):
        expected, kernels = plain_step(kernels, images, labels, weight, rate=0.5)
        loss = model.train_on_batch(images, labels_of(model, labels), return_dict=True)["loss"]
        model.reset_metrics()
        assert float(loss) == pytest.approx(expected, rel=1e-5)
        for peer, kernel in zip(peers, kernels, strict=True):
            np.testing.assert_allclose(values(peer)[0], kernel, rtol=1e-4, atol=1e-6)


@pytest.mark.large
def test_an_osnet_learns_as_it_does_alone_from_its_peer_s_logits():
    """One step of the pair, and one of a network whose labels are the peer's logits."""
    images, labels = samples()
    peers, alone = [osnet(1), osnet(2)], osnet(1)
    before = values(peers[1])
    theirs = ops.convert_to_numpy(peers[1](images, training=True)["logits"])
    peers[1].set_weights(before)  # that has moved the statistics

    model = mutual_learning_model(peers)
    model.compile(CoupledSGD(0.01), loss=losses(model), loss_weights=[0.5, 0.5, 1, 1], **QUICKLY)
    model.train_on_batch(images, labels_of(model, labels))

    outputs = {
        **alone.output,
        "mutual": keras.layers.Identity(name="mutual")(alone.output["logits"]),
    }
    alone = keras.Model(alone.input, outputs)
    alone.compile(
        CoupledSGD(0.01),
        loss={
            "embedding": BatchHardTripletLoss(0.3),
            "logits": LabelSmoothingSparseCrossentropy(0.1, from_logits=True),
            "mutual": MutualLearningLoss(),
        },
        loss_weights={"embedding": 0.5, "logits": 1.0, "mutual": 1.0},
        **QUICKLY,
    )
    start = values(alone)
    alone.train_on_batch(images, {"embedding": labels, "logits": labels, "mutual": theirs})
    assert_values_equal(values(peers[0]), values(alone), rtol=1e-3, atol=1e-5)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(start, values(alone), strict=True))


@pytest.mark.large
def test_both_improve_and_validation_is_without_the_mutual_loss():
    images, labels = samples()
    peers = [osnet(1), osnet(2)]
    model = mutual_learning_model(peers)
    # Labels come for every output, losses and metrics may be of some.
    model.compile(
        CoupledSGD(0.02, momentum=0.9),
        loss=losses(model, of=["logits"]),
        metrics={"logits_1": "accuracy", "logits_2": "accuracy"},
    )
    truth = labels_of(model, labels)
    history = model.fit(
        images, truth, batch_size=16, epochs=4, validation_data=(images, truth), verbose=0
    ).history
    for name in ("logits_1_loss", "logits_2_loss"):
        assert history[name][-1] < history[name][0]
    compiled = np.add(history["logits_1_loss"], history["logits_2_loss"])
    assert (np.array(history["loss"]) > compiled + 1e-4).all()
    compiled = np.add(history["val_logits_1_loss"], history["val_logits_2_loss"])
    np.testing.assert_allclose(history["val_loss"], compiled, rtol=1e-5)
    again = model.evaluate(images, truth, verbose=0, return_dict=True)
    assert again["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-4)

    predictions = model.predict(images, verbose=0)
    assert {name: array.shape for name, array in predictions.items()} == {
        "embedding_1": (16, 512),
        "logits_1": (16, 4),
        "embedding_2": (16, 512),
        "logits_2": (16, 4),
    }
    for index, peer in enumerate(peers, 1):
        for key, array in peer.predict(images, verbose=0).items():
            np.testing.assert_allclose(array, predictions[f"{key}_{index}"], rtol=1e-4, atol=1e-5)


def test_equal_peers_learn_nothing_from_each_other():
    peers = [linear(7), linear(7)]
    with pytest.warns(UserWarning, match=r"Peers 1 and 2 have equal values"):
        model = mutual_learning_model(peers)
    model(np.ones((2, 5)), training=True)
    found = [float(ops.convert_to_numpy(loss)) for loss in model.losses]
    assert found == pytest.approx([0.0, 0.0], abs=1e-6)
    model(np.ones((2, 5)), training=False)
    assert model.losses == []


@pytest.mark.large
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.backends
def test_half_precision(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = mutual_learning_model([osnet(1), osnet(2)])
        images, labels = samples()
        model.compile(CoupledSGD(0.01), loss=losses(model), **QUICKLY)
        start = values(model)
        truth = labels_of(model, labels)
        history = model.fit(images, truth, batch_size=16, epochs=2, verbose=0).history
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(history["loss"]).all()
    assert all(np.isfinite(array).all() for array in values(model))
    assert any((was != now).any() for was, now in zip(start, values(model), strict=True))
    types = {name: keras.backend.standardize_dtype(x.dtype) for name, x in model.output.items()}
    assert set(types.values()) == {"float32"}


def trained_pair(seed):
    model = mutual_learning_model([linear(seed), linear(seed + 1)], weight=2.0)
    model.compile(keras.optimizers.Adam(0.1), loss=dict.fromkeys(model.output_names, FROM_LOGITS))
    return model


@pytest.mark.large
@pytest.mark.backends
def test_weights_and_optimizer_come_back(tmp_path):
    images, labels = np.random.default_rng(0).standard_normal((6, 5)), np.arange(6) % 3
    first, second = trained_pair(0), trained_pair(10)
    truth = labels_of(first, labels)
    first.fit(images, truth, epochs=2, verbose=0)
    first.save_weights(tmp_path / "pair.weights.h5")
    first.save(tmp_path / "pair.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Keras warns where it leaves an optimizer out
        second.optimizer.build(second.trainable_variables)
        second.load_weights(tmp_path / "pair.weights.h5")
        third = keras.saving.load_model(tmp_path / "pair.keras")
    assert [layer.weight for layer in third.layers if isinstance(layer, MutualLearning)] == [2, 2]

    before = values(first)
    for model in (first, second, third):
        assert_values_equal(values(model), before)
    for model in (first, second, third):  # the same steps follow, so Adam's state is the same
        model.fit(images, truth, epochs=3, verbose=0)
        assert_values_equal(values(model), values(first), rtol=1e-5, atol=1e-6)
    assert np.abs(values(first)[0] - before[0]).max() > 0.01

    peer = third.get_layer("peer_2")
    logits = peer.predict(images, verbose=0)["logits"]
    np.testing.assert_allclose(logits, third.predict(images, verbose=0)["logits_2"], rtol=1e-5)
    assert_values_equal(values(peer), values(third)[1:])


@pytest.mark.large
@pytest.mark.parametrize("frozen_before", [True, False])
@pytest.mark.backends
def test_what_is_frozen_stays(frozen_before):
    """A whole peer, statistics and all, and one layer of the other."""
    images, labels = samples()
    peers = [osnet(1), osnet(2)]

    def freeze():
        peers[0].trainable = False
        peers[1].get_layer("conv1").trainable = False

    if frozen_before:
        freeze()
    model = mutual_learning_model(peers)
    if not frozen_before:
        freeze()
    model.compile(CoupledSGD(0.01), loss=losses(model), **QUICKLY)
    before, stem = values(peers[0]), values(peers[1].get_layer("conv1"))
    rest = values(peers[1].get_layer("conv5"))
    model.train_on_batch(images, labels_of(model, labels))
    assert_values_equal(values(peers[0]), before, rtol=0)
    assert_values_equal(values(peers[1].get_layer("conv1")), stem, rtol=0)
    for was, now in zip(rest, values(peers[1].get_layer("conv5")), strict=True):
        assert (was != now).any()


@pytest.mark.large
def test_peers_of_several_kinds():
    """The code that built two of them gave their layers the same names, and they keep them."""
    peers = [osnet(1), osnet(2), osnet(3, variant="ibn", outputs=["logits", "predictions"])]
    names = [[peer.name, *(variable.path for variable in peer.variables)] for peer in peers]
    assert names[0] == names[1]
    model = mutual_learning_model(peers, name="trio")
    assert model.name == "trio"
    assert model.output_names == [
        "embedding_1",
        "embedding_2",
        "logits_1",
        "logits_2",
        "logits_3",
        "predictions_3",
    ]
    assert names == [[peer.name, *(variable.path for variable in peer.variables)] for peer in peers]
    if keras.backend.backend() == "torch":
        assert {id(variable.value) for variable in model.variables} == {
            id(parameter) for parameter in model.parameters()
        }


@pytest.mark.large
@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="JAX compiles two OSNets for a minute; see small ones"
)
def test_real_osnets_and_their_embeddings_together():
    """Table 12f's way, and torchreid's `deploy="both"`."""
    keras.utils.set_random_seed(0)
    peers = [
        keras_osnet.OSNet(0.25, input_shape=(64, 32, 3), classes=4, outputs=["embedding", "logits"])
        for _ in range(2)
    ]
    model = mutual_learning_model(peers)
    model.compile(CoupledSGD(0.01), loss=losses(model), **QUICKLY)
    images, labels = np.random.default_rng(0).standard_normal((4, 64, 32, 3)), np.arange(4)
    ends = [peer.get_layer(name) for peer in peers for name in ("conv1", "logits")]
    before = [values(layer) for layer in ends]
    assert np.isfinite(model.train_on_batch(images, labels_of(model, labels))).all()
    for layer, start in zip(ends, before, strict=True):
        for was, now in zip(start, values(layer), strict=True):
            assert (was != now).any()
    embeddings = [peer(images)["embedding"] for peer in peers]
    assert tuple(ops.concatenate(embeddings, axis=1).shape) == (4, 1024)


@pytest.mark.parametrize(
    ("peers", "message"),
    [
        (lambda: [linear(1)], r"at least two models\. Received: \['Functional'\]"),
        (lambda: linear(1), r"at least two models\. Received: <"),
        (lambda: [linear(1), "osnet"], r"at least two models\. Received: \[<"),
        (
            lambda: [linear(1), linear(2, classes=4)],
            r"same number of classes\. Received: \[\(None, 3\), \(None, 4\)\]",
        ),
        (
            lambda: [linear(1), linear(2, features=6)],
            r"inputs of one shape and type\. Received: .*\(None, 6\)",
        ),
        (
            lambda: [linear(1), linear(2, head="predictions")],
            r"\"logits\".*Received: peer 2, a Functional with outputs \['predictions'\]",
        ),
        (
            lambda: [keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]), linear(2)],
            r'"logits".*Received: peer 1, a Sequential with outputs None',
        ),
        (
            lambda: [keras.Model(image := keras.Input((5,)), image), linear(2)],
            r'"logits".*Received: peer 1, a Functional with outputs <KerasTensor',
        ),
        (
            lambda: [linear(1), linear(2)] + [linear(3)] * 2,
            r"must not share variables\. Received: peers 3 and 4",
        ),
    ],
)
def test_other_peers_are_refused(peers, message):
    with pytest.raises(ValueError, match=message):
        mutual_learning_model(peers())


DISTRIBUTED = """
import keras, numpy as np, tensorflow as tf
from keras_osnet.optimizers import CoupledSGD
from keras_osnet.training import mutual_learning_model

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

def losses():
    peers = []
    for seed in range(2):
        keras.utils.set_random_seed(seed)
        image = keras.Input((5,))
        peers.append(keras.Model(image, {"logits": keras.layers.Dense(3)(image)}))
    model = mutual_learning_model(peers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(CoupledSGD(0.5), loss=dict.fromkeys(model.output_names, loss), jit_compile=False)
    labels = dict.fromkeys(model.output_names, np.arange(8) % 3)
    images = np.random.default_rng(0).standard_normal((8, 5))
    return model.fit(images, labels, batch_size=8, epochs=3, verbose=0).history["loss"]

alone = losses()
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    np.testing.assert_allclose(losses(), alone, rtol=1e-5)
"""


@pytest.mark.extra_large
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's strategies")
def test_replicas_learn_what_one_does():
    """In a process of its own, whose CPU can still be divided in two."""
    command = [sys.executable, "-c", DISTRIBUTED]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_other_weights_and_inputs_of_the_layer_are_refused():
    with pytest.raises(ValueError, match=r"`weight` must be .*Received: -1"):
        mutual_learning_model([linear(1), linear(2)], weight=-1)
    for logits in (
        np.zeros((2, 3)),
        [np.zeros((2, 3))],
        [np.zeros((2, 3)), np.zeros((2, 4))],
        [np.zeros((2, 3, 1)), np.zeros((2, 3, 1))],
    ):
        with pytest.raises(ValueError, match=r"MutualLearning takes a list.*Received: shape"):
            MutualLearning()(logits)
