"""A short training on CIFAR-10: the 2-2-2 network, a part of the images, a few epochs.

    python tests/benchmarks/cifar10.py --data cifar10_jpeg.npz --output runs/cifar10

The whole training, 200 epochs on all images, is `keras-osnet train cifar --dataset cifar10 --data
cifar10_jpeg.npz -o DIR`, and needs an accelerator.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from keras_osnet import OSNet
from keras_osnet.data import LabeledImages, read_dataset
from keras_osnet.training import load_recipe, train


def part(images, count):
    """Return `count` images, drawn at random: files may have one class after the other."""
    chosen = np.random.default_rng(0).permutation(len(images.labels))[:count]
    return LabeledImages(images.images[chosen], images.labels[chosen])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--width", type=float, default=0.25)
    arguments = parser.parse_args()

    cifar = read_dataset("cifar10", arguments.data)
    count = arguments.images
    cifar = replace(cifar, train=part(cifar.train, count), test=part(cifar.test, count // 5))
    keras.utils.set_random_seed(0)
    model = OSNet(arguments.width, head="embedding", stem="cifar", input_shape=(32, 32, 3))
    # The recipe's rate is Wide-ResNet's for 200 epochs; so few begin better with half of it.
    recipe = load_recipe("cifar").with_epochs(arguments.epochs)
    recipe = recipe.with_overrides({"optimizer.learning_rate": 0.05})
    start = time.perf_counter()
    run = train(recipe, model, cifar, arguments.output, verbose=2)
    seconds = time.perf_counter() - start
    print(f"{count:,} images, {arguments.epochs} epochs, {model.name}, {keras.backend.backend()}")
    for row in run.metrics:
        print(f"epoch {row['epoch']}: loss {row['loss']:.3f}, accuracy {row['accuracy']:.1%}")
    print(f"test error {run.test['error']:.1%} of {run.test['images']:,} images")
    print(f"{arguments.epochs * count / seconds:,.0f} images/s, compilation and test included")


if __name__ == "__main__":
    main()
