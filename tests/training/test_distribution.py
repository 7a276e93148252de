"""Training on several devices and machines is training on one.

Devices are parts of the CPU, in processes of their own, as TensorFlow and JAX have to be told of
them before they start. Such a process runs this file as a script, and writes down what it saw.
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_osnet.data import ImageBatches
from keras_osnet.layers import ClassCenters
from keras_osnet.losses import (
    BatchHardTripletLoss,
    CenterLoss,
    EntropyMaximization,
    LabelSmoothingSparseCrossentropy,
    MutualLearningLoss,
    WeightedBinaryCrossentropy,
)
from keras_osnet.optimizers import (
    AMSGrad,
    CoupledSGD,
)
from keras_osnet.training import (
    TrainingDataset,
    distributed,
)
from keras_osnet.training.distribution import Distribution

ROOT = Path(__file__).parents[2]
BACKEND = keras.backend.backend()

PEOPLE = np.repeat(np.arange(6), 4)
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 4, 4, 3), dtype=np.uint8)
ATTRIBUTES = np.random.default_rng(1).integers(0, 2, (24, 5))

EPOCHS = range(1, 3)
"""Not from 0 on, as after a restart."""


class TripletsOfHalves(BatchHardTripletLoss):
    """What two replicas mine, on one device."""

    def call(self, y_true, y_pred):
        halves = zip(ops.split(y_true, 2), ops.split(y_pred, 2), strict=True)
        return ops.concatenate([super(TripletsOfHalves, self).call(*half) for half in halves])


class Scenario:
    """A small network, images, and how it is trained on them."""

    batch_size: int | tuple[int, int] = 8
    labels = PEOPLE
    outputs: list[str] | None = None
    metrics = None

    def batches(self, worker=(0, 1)):
        return ImageBatches(IMAGES, self.labels, batch_size=self.batch_size, seed=3, worker=worker)

    def model(self):
        inputs = keras.Input((4, 4, 3))
        means = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(inputs))
        model = keras.Model(inputs, self.network(means))
        rng = np.random.default_rng(2)
        for variable in model.trainable_variables:
            variable.assign(rng.standard_normal(variable.shape))
        return model

    def optimizer(self):
        return CoupledSGD(0.1, momentum=0.9, l2=0.05)


class People(Scenario):
    batch_size = (4, 2)
    outputs = ["embedding", "logits", "means"]  # noqa: RUF012
    metrics = {"logits": "accuracy"}  # noqa: RUF012

    def __init__(self, triplets, watch=None):
        self.triplets = triplets
        self.watch = watch

    def network(self, means):
        embedding = layers.Dense(7, "tanh", name="embedding")(means)
        logits = layers.Dense(6, name="logits")(embedding)
        return {"embedding": embedding, "logits": logits, "means": means}

    def loss(self):
        return {
            "embedding": self.triplets(1.0),
            "logits": LabelSmoothingSparseCrossentropy(0.1, from_logits=True),
            "means": self.watch,
        }

    def optimizer(self):
        return AMSGrad(0.01, l2=0.05)


class Entropy(Scenario):
    metrics = ["accuracy"]  # noqa: RUF012

    def network(self, means):
        return layers.Dense(6)(means)

    def loss(self):
        return EntropyMaximization(0.3, from_logits=True)


class Attributes(Scenario):
    labels = ATTRIBUTES
    outputs = ["attributes", "own"]  # noqa: RUF012

    def network(self, means):
        return {name: layers.Dense(5, name=name)(means) for name in self.outputs}

    def loss(self):
        ratios = [0.1, 0.3, 0.5, 0.7, 0.9]
        return {
            "attributes": WeightedBinaryCrossentropy(ratios, from_logits=True),
            "own": MutualLearningLoss(),
        }


class Centers(Scenario):
    """Images of all classes on all replicas, so that each has a part of every class's mean."""

    outputs = ["center", "logits"]  # noqa: RUF012

    def network(self, means):
        embedding = layers.Dense(7, "tanh", name="embedding")(means)
        self.centers = ClassCenters(6, name="center")
        logits = layers.Dense(6, name="logits")(embedding)
        return {"center": self.centers(embedding), "logits": logits}

    def loss(self):
        return {
            "center": CenterLoss(self.centers),
            "logits": LabelSmoothingSparseCrossentropy(0.1, from_logits=True),
        }


class Normalized(Scenario):
    """Batch norm, directly on the images' means; and another, frozen."""

    def network(self, means):
        norm = layers.BatchNormalization(momentum=0.5, name="norm")
        frozen = layers.BatchNormalization(name="frozen")
        frozen.trainable = False
        return layers.Dense(6)(frozen(norm(means)))

    def loss(self):
        return LabelSmoothingSparseCrossentropy(0.1, from_logits=True)


def run(scenario, distribution, model=None, callbacks=()):
    """Train; the model, and what there is to compare."""
    model = distribution.replicate(model or scenario.model())
    model.compile(scenario.optimizer(), scenario.loss(), metrics=scenario.metrics)
    batches = scenario.batches(distribution.worker)
    history = model.fit(
        distribution.make_dataset(batches, EPOCHS[0], outputs=scenario.outputs),
        steps_per_epoch=len(batches),
        initial_epoch=EPOCHS[0],
        epochs=EPOCHS[-1] + 1,
        shuffle=False,
        verbose=0,
        callbacks=[*distribution.callbacks(), *callbacks],
    ).history
    result = {"history": history, "weights": values(model)}
    if scenario.outputs is None:
        with distribution.unsharded():  # five images, for two replicas
            result["evaluation"] = model.evaluate(IMAGES[:5], PEOPLE[:5], batch_size=5, verbose=0)
    return model, result


def values(model):
    return [ops.convert_to_numpy(each).tolist() for each in model.weights]


def watched():
    """A loss that is nothing, and where it keeps what each replica is given."""
    import tensorflow as tf

    seen = {}
    lock = threading.Lock()

    def keep(replica, labels, means):
        with lock:
            seen.setdefault(str(replica), []).append([labels.tolist(), means.tolist()])

    def watch(y_true, y_pred):
        replica = tf.distribute.get_replica_context()
        if replica is not None:
            tf.numpy_function(keep, [replica.replica_id_in_sync_group, y_true, y_pred], [])
        return 0 * ops.sum(y_pred, axis=-1)

    return watch, seen


# What the processes do.


def mirrored(folder):
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    watch, seen = watched()
    results = {}
    outside = (Entropy().model(), CoupledSGD(0.1))
    with distributed("mirrored") as distribution:
        results["is"] = [distribution.replicas, distribution.worker, distribution.is_chief]
        people = People(BatchHardTripletLoss, watch)
        model, results["people"] = run(people, distribution)
        results["seen"] = seen
        model.save(folder / "model.keras")
        results["entropy"] = run(Entropy(), distribution)[1]
        results["attributes"] = run(Attributes(), distribution)[1]
        results["centers"] = run(Centers(), distribution)[1]
        results["normalized"] = averages(*run(Normalized(), distribution))
        results["errors"] = errors_of_two_replicas(distribution, *outside)
        with distributed() as same:
            assert same is distribution
        assert distribution.replicate(model) is model
    model.predict(IMAGES[:3], verbose=0)
    return results


def averages(model, result):
    """All that replicas hold of the statistics: [layer, variable, replica]."""
    return result | {
        name: [
            [each.numpy().tolist() for each in variable.value.values]
            for variable in (
                model.get_layer(name).moving_mean,
                model.get_layer(name).moving_variance,
            )
        ]
        for name in ("norm", "frozen")
    }


def errors_of_two_replicas(distribution, model, optimizer):
    """The messages, by the argument; the model and the optimizer were made outside."""
    scenario = Entropy()
    inside = distribution.replicate(scenario.model())

    def nested():
        with distributed("data-parallel"):
            pass

    def train(model, optimizer):
        model.compile(optimizer, scenario.loss())
        data = distribution.make_dataset(scenario.batches())
        model.fit(data, steps_per_epoch=1, verbose=0, callbacks=distribution.callbacks())

    def feed(batch_size, worker=(0, 1)):
        scenario.batch_size = batch_size
        distribution.make_dataset(scenario.batches(worker))

    class Subclass(keras.Model):
        def __init__(self, dense):
            super().__init__()
            self.dense = dense

    return {
        "nested": message(nested),
        "optimizer": message(train, inside, optimizer),
        "model": message(train, model, CoupledSGD(0.1)),
        "subclass": message(distribution.replicate, Subclass(model.layers[-1])),
        "clip": message(train, inside, CoupledSGD(0.1, clipnorm=1.0)),
        "accumulation": message(train, inside, CoupledSGD(0.1, gradient_accumulation_steps=2)),
        "images": message(feed, 7),
        "people": message(feed, (3, 4)),
        "worker": message(feed, 8, (1, 2)),
    }


def message(function, *arguments):
    try:
        function(*arguments)
    except ValueError as error:
        return str(error)
    return None


def multi_worker(folder):
    watch, seen = watched()

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            distribution.on_chief(lambda: self.model.save_weights(folder / "state.weights.h5"))

    with distributed("multi-worker") as distribution:
        people = People(BatchHardTripletLoss, watch)
        model, result = run(people, distribution, callbacks=[Keep()])
        centers = run(Centers(), distribution)[1]
        norm = averages(*run(Normalized(), distribution))
        distribution.on_chief(lambda: model.save(folder.parent / "model.keras"))
        distribution.barrier()
        assert (folder.parent / "model.keras").exists()
        predictions = model.predict(IMAGES[:6], batch_size=4, verbose=0)["logits"]
    with distributed("multi-worker") as again:
        assert again.replicas == distribution.replicas
    return {
        "is": [distribution.replicas, distribution.worker, distribution.is_chief],
        "people": result,
        "seen": seen,
        "centers": centers,
        "normalized": norm,
        "predictions": predictions.tolist(),
    }


def data_parallel(folder):
    import jax

    shardings = []

    def watch(y_true, y_pred):
        jax.debug.inspect_array_sharding(y_pred, callback=shardings.append)
        return 0 * ops.sum(y_pred, axis=-1)

    class PredictOdd(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            with distribution.unsharded():
                assert self.model.predict_on_batch(IMAGES[:5])["logits"].shape == (5, 6)

    before = People(BatchHardTripletLoss, watch).model()
    with distributed("data-parallel") as distribution:
        assert keras.distribution.distribution() is not None
        people = People(BatchHardTripletLoss, watch)
        model, result = run(people, distribution, before, [PredictOdd()])
        assert model is not before
        assert distribution.replicate(model) is model
        centers = run(Centers(), distribution)[1]
        normalized = run(Normalized(), distribution)[1]
        people.batch_size = (3, 3)
        error = message(distribution.make_dataset, people.batches())
    assert keras.distribution.distribution() is None
    assert model.predict(IMAGES[:5], verbose=0)["logits"].shape == (5, 6)
    model.save(folder / "model.keras")
    devices = jax.devices()
    return {
        "is": [distribution.replicas, distribution.worker, distribution.is_chief],
        "people": result,
        "centers": centers,
        "normalized": normalized,
        "shardings": [
            [
                list(index[0].indices(8)[:2])
                for index in map(each.devices_indices_map((8, 3)).get, devices)
            ]
            for each in shardings
        ],
        "error": error,
    }


# The tests.


def start(kind, folder, backend, **environment):
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT), **environment}
    # A machine with GPUs tests the same as one without.
    environment |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [sys.executable, __file__, kind, str(folder)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def results(processes, folders):
    try:
        outputs = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output[-5000:]
    return [json.loads((folder / "results.json").read_text()) for folder in folders]


@cache
def on_one_device(scenario, *arguments):
    with distributed(None) as distribution:
        return run(scenario(*arguments), distribution)[1]


def nothing(y_true, y_pred):
    return 0 * ops.sum(y_pred, axis=-1)


def assert_same(result, expected):
    assert result["history"].keys() == expected["history"].keys()
    for name, numbers in expected["history"].items():
        np.testing.assert_allclose(result["history"][name], numbers, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(
        result.get("evaluation", 0), expected.get("evaluation", 0), atol=1e-5
    )
    for weights, others in zip(result["weights"], expected["weights"], strict=True):
        np.testing.assert_allclose(weights, others, atol=1e-5)


def assert_each_saw_its_part(seen, replicas):
    made = People(BatchHardTripletLoss).batches()
    expected = [made.batch(epoch, index) for epoch in EPOCHS for index in range(len(made))]
    assert sorted(seen) == [str(replica) for replica in replicas]
    for replica in replicas:
        parts = seen[str(replica)]
        assert len(parts) == len(expected)
        for (labels, means), (images, whole) in zip(parts, expected, strict=True):
            own = slice(4 * replica, 4 * replica + 4)
            np.testing.assert_array_equal(np.ravel(labels), whole[own])
            np.testing.assert_allclose(means, images[own].mean((1, 2)) / 255, rtol=1e-5)


def assert_statistics_are_averaged(result):
    """The mean of two replicas' means is the whole batch's. That of their variances is less."""
    batches = Normalized().batches()
    mean, variance = np.zeros(3), np.ones(3)
    for epoch in EPOCHS:
        for index in range(len(batches)):
            means = batches.batch(epoch, index)[0].mean((1, 2)) / 255
            mean = 0.5 * mean + 0.5 * means.mean(0)
            variance = 0.5 * variance + 0.5 * np.mean(
                [half.var(0) for half in np.split(means, 2)], axis=0
            )
    for of_replica in result["norm"][0]:
        np.testing.assert_allclose(of_replica, mean, atol=1e-5)
    for of_replica in result["norm"][1]:
        np.testing.assert_allclose(of_replica, variance, atol=1e-5)
    for of_replica in (*result["frozen"][0], *result["frozen"][1]):
        assert of_replica in ([0, 0, 0], [1, 1, 1])


@pytest.mark.extra_large
def test_mirrored(tmp_path):
    pytest.importorskip("tensorflow")
    [result] = results([start("mirrored", tmp_path, "tensorflow")], [tmp_path])
    assert result["is"] == [2, [0, 1], True]
    assert_each_saw_its_part(result["seen"], [0, 1])
    assert_same(result["people"], on_one_device(People, TripletsOfHalves, nothing))
    assert_same(result["entropy"], on_one_device(Entropy))
    assert_same(result["attributes"], on_one_device(Attributes))
    assert_same(result["centers"], on_one_device(Centers))
    assert_statistics_are_averaged(result["normalized"])
    saved = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert values(saved) == result["people"]["weights"]

    errors = {
        "nested": r"`kind` must be 'mirrored' or None.*Received: 'data-parallel'",
        "optimizer": r"`optimizer` must.*inside the `with`.*Received: .*iteration",
        "model": r"`model` must.*'mirrored': see `Distribution.replicate`.*Received: .*dense",
        "subclass": r"`model` must be a functional one.*Received: Subclass",
        "clip": r"`clipnorm` must not.*'mirrored'.*Received: clipnorm=1.0",
        "accumulation": r"`gradient_accumulation_steps` must not.*=2",
        "images": r"divide by the 2 replicas.*Received: 7 images, batch_size=7",
        "people": r"divide by the 2 replicas.*Received: 3 people, batch_size=\(3, 4\)",
        "worker": r"`batches` must be made with .*\(0, 1\)\. Received: worker=\(1, 2\)",
    }
    assert result["errors"].keys() == errors.keys()
    for name, pattern in errors.items():
        assert re.search(pattern, result["errors"][name]), name


@pytest.mark.extra_large
def test_multi_worker(tmp_path):
    pytest.importorskip("tensorflow")
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("localhost", 0))
        hosts = [f"localhost:{each.getsockname()[1]}" for each in (first, second)]
    processes, folders = [], []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": hosts}, "task": task})
        folders.append(tmp_path / str(index))
        folders[-1].mkdir()
        processes.append(start("multi-worker", folders[-1], "tensorflow", TF_CONFIG=config))
    chief, other = results(processes, folders)

    assert chief["is"] == [2, [0, 2], True]
    assert other["is"] == [2, [1, 2], False]
    assert_each_saw_its_part({**chief["seen"], **other["seen"]}, [0, 1])
    assert chief["people"] == other["people"]
    assert [(folder / "state.weights.h5").exists() for folder in folders] == [True, False]
    assert_same(chief["people"], on_one_device(People, TripletsOfHalves, nothing))
    for worker in (chief, other):
        assert_same(worker["centers"], on_one_device(Centers))
    assert_statistics_are_averaged(chief["normalized"])
    assert_statistics_are_averaged(other["normalized"])
    saved = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert values(saved) == chief["people"]["weights"]
    logits = saved.predict(IMAGES[:6], verbose=0)["logits"]
    for worker in (chief, other):
        np.testing.assert_allclose(worker["predictions"], logits, atol=1e-5)


@pytest.mark.extra_large
def test_data_parallel(tmp_path):
    pytest.importorskip("jax")
    flags = "--xla_force_host_platform_device_count=2"
    [result] = results([start("data-parallel", tmp_path, "jax", XLA_FLAGS=flags)], [tmp_path])
    assert result["is"] == [2, [0, 1], True]
    # JAX computes what one device would, whole-batch triplets and statistics included.
    assert_same(result["people"], on_one_device(People, BatchHardTripletLoss, nothing))
    assert_same(result["centers"], on_one_device(Centers))
    assert_same(result["normalized"], on_one_device(Normalized))
    assert [[0, 4], [4, 8]] in result["shardings"]
    pattern = r"divide by the 2 replicas.*Received: 9 images, batch_size=\(3, 3\)"
    assert re.search(pattern, result["error"])
    saved = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert values(saved) == result["people"]["weights"]


@pytest.mark.backends
def test_one_device_changes_nothing():
    with distributed(None) as distribution, distributed() as inner:
        for each in (distribution, inner):
            assert type(each) is Distribution
            assert (each.kind, each.replicas, each.worker) == (None, 1, (0, 1))
            assert each.is_chief
            assert each.callbacks() == []
            each.barrier()
            assert each.on_chief(lambda: "saved") == "saved"
            with each.unsharded():
                model = keras.Sequential([layers.Dense(2)])
                assert each.replicate(model) is model
        batches = Entropy().batches()
        data = distribution.make_dataset(batches, 2, outputs=["one", "other"])
    if keras.backend.backend() == "tensorflow":
        images, labels = next(iter(data))
    else:
        assert isinstance(data, TrainingDataset)
        images, labels = data[0]
    np.testing.assert_array_equal(images, batches.batch(2, 0)[0])
    assert list(labels) == ["one", "other"]


@pytest.mark.backends
def test_an_unknown_kind():
    with (
        pytest.raises(ValueError, match=r"`kind` must be None or one of .*Received: 'all'"),
        distributed("all"),
    ):
        pass


@pytest.mark.backends
@pytest.mark.parametrize("kind", ["mirrored", "multi-worker", "data-parallel"])
def test_a_kind_of_another_backend(kind):
    needed = "jax" if kind == "data-parallel" else "tensorflow"
    if needed == BACKEND:
        pytest.skip(f"{kind} is of this backend")
    pattern = rf"'{kind}' needs KERAS_BACKEND={needed}\. Received: {BACKEND}"
    with pytest.raises(ValueError, match=pattern), distributed(kind):
        pass


needs_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow alone")


@needs_tensorflow
@pytest.mark.parametrize(
    "config",
    [
        None,
        "worker 0",
        "[]",
        "{}",
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_wrong_tf_config(config, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    with (
        pytest.raises(ValueError, match=r"`TF_CONFIG` must.*Received: (none|')"),
        distributed("multi-worker"),
    ):
        pass


@needs_tensorflow
def test_workers_that_join_too_late(monkeypatch):
    keras.Variable(1.0)
    config = '{"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": 0}}'
    monkeypatch.setenv("TF_CONFIG", config)
    with (
        pytest.raises(RuntimeError, match=r"must come before.*Received: .*already started"),
        distributed("multi-worker"),
    ):
        pass


if __name__ == "__main__":
    kind, folder = sys.argv[1], Path(sys.argv[2])
    saw = {"mirrored": mirrored, "multi-worker": multi_worker, "data-parallel": data_parallel}
    (folder / "results.json").write_text(json.dumps(saw[kind](folder)))
