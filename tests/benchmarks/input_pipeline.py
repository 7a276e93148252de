"""Speed of reading and augmenting training images, beside that of training x0.25 on them.

Run it from the repository's root, on a machine that does nothing else:

    python tests/benchmarks/input_pipeline.py

Images are drawn at Market-1501's size, 128 x 64, written as JPEG, and trained on at 256 x 128.
Rates of training are beside each other, from one batch held in memory and from disk: on a CPU,
reading takes processor time from the model. How long the model waits for a batch that is not ready
is measured apart, with tf.data.
"""

import os
import sys
import tempfile
import time

import keras
import numpy as np

from keras_osnet import OSNet
from keras_osnet.data import ReidDataset
from keras_osnet.data.batches import ImageBatches
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.data.transforms import (
    ColorJitter,
    Normalize,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomPatch,
)
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.training.dataset import TrainingDataset, to_tf_dataset

CHAINS = {
    "fine-tuning": (RandomFlip(), Normalize(), RandomErasing()),
    "from scratch": (RandomFlip(), RandomCrop(), RandomPatch(), Normalize()),
    "everything": (
        RandomFlip(),
        RandomCrop(),
        RandomPatch(),
        ColorJitter(),
        Normalize(),
        RandomErasing(),
    ),
}


class Constant(keras.utils.PyDataset):
    """One batch, over and over."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    num_batches = None

    def __getitem__(self, index):
        return self.batch


def fit_rate(model, data, steps):
    """Return images per second in an epoch that follows one to warm up."""
    times = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: times.append(time.perf_counter()),
        on_epoch_end=lambda epoch, logs: times.append(time.perf_counter()),
    )
    model.fit(data, steps_per_epoch=steps, epochs=2, shuffle=False, verbose=0, callbacks=[clock])
    return steps * 64 / (times[3] - times[2])


def waiting_share(model, dataset):
    """Return the share of an epoch, after one to warm up, in which the model waits for batches."""
    for _ in range(2):
        waited, start = 0.0, time.perf_counter()
        batches = iter(dataset)
        while True:
            asked = time.perf_counter()
            batch = next(batches, None)
            waited += time.perf_counter() - asked
            if batch is None:
                break
            model.train_on_batch(*batch)
        share = waited / (time.perf_counter() - start)
    return share


def main():
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Keras on {keras.backend.backend()}"
    )
    with tempfile.TemporaryDirectory() as folder:
        write_synthetic_people(folder, 64, cameras=2, views=4, image_size=(128, 64))
        people = ReidDataset("synthetic", train=tuple(read_folder(folder)))

        def make(steps, **arguments):
            paths = [image.path for image in people.train]
            labels = people.train_labels
            return ImageBatches(
                paths, labels, image_size=(256, 128), batch_size=64, steps=steps, **arguments
            )

        for name, steps in CHAINS.items():
            for in_memory in (False, True):
                batches = make(steps, in_memory=in_memory)
                batches.batch(0, 0)
                for epoch in (0, 1):  # the first epoch fills the memory
                    start = time.perf_counter()
                    for index in range(len(batches)):
                        batches.batch(epoch, index)
                    rate = len(people.train) / (time.perf_counter() - start)
                print(f"{name}, {'in memory' if in_memory else 'from disk'}: {rate:,.0f} images/s")

        model = OSNet(0.25, input_shape=(256, 128, 3), classes=64)
        model.compile("sgd", "sparse_categorical_crossentropy")
        batches = make(CHAINS["fine-tuning"])
        batch = tuple(np.ascontiguousarray(array) for array in batches.batch(0, 0))
        data = {"one batch in memory": Constant(batch), "PyDataset": TrainingDataset(batches)}
        if "tensorflow" in sys.modules:
            data["tf.data"] = to_tf_dataset(batches)
        data["one batch in memory, again"] = data["one batch in memory"]
        for name, dataset in data.items():
            rate = fit_rate(model, dataset, len(batches))
            print(
                f"training x0.25 from {name}: {rate:,.1f} images/s, load {os.getloadavg()[0]:.1f}"
            )
        if "tf.data" in data:
            share = waiting_share(model, data["tf.data"].take(len(batches)))
            print(f"waiting for tf.data: {100 * share:.1f} % of the time")


if __name__ == "__main__":
    main()
