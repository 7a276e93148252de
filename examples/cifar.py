"""Classify objects with the same network: the recipe `cifar` on CIFAR-10.

You need a copy of CIFAR-10: the folder `cifar-10-batches-bin` of its binary version. To finish in a
few minutes on a CPU, this script trains on some of the images for a few epochs; it shows the
procedure, not the final accuracy:

    python examples/cifar.py --data cifar-10-batches-bin

To train on all images for the 200 epochs of the recipe:

    keras-osnet train cifar --dataset cifar10 --data cifar-10-batches-bin --output cifar
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # silence TensorFlow's start-up messages

import keras
import numpy as np

from keras_osnet.data import LabeledImages, read_dataset
from keras_osnet.training import build_model, load_recipe, train
from keras_osnet.visualize import plot_attributes, save_figure


def main() -> None:
    """Read the dataset, train, print the accuracy per class, draw a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder, or an .npz file")
    parser.add_argument("--images", type=int, default=2000, help="number of training images")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--part", action="store_true", help="the folder is incomplete")
    parser.add_argument("--folder", type=Path, default=Path("cifar"), help="output folder")
    arguments = parser.parse_args()

    whole = read_dataset("cifar10", arguments.data, check=not arguments.part)
    few = replace(
        whole,
        train=some(whole.train, arguments.images),
        test=some(whole.test, arguments.images // 2),
    )
    print(f"{len(few.train.images)} training images, {len(few.test.images)} test images")

    # With few images, smaller batches give more steps per epoch.
    recipe = load_recipe("cifar").with_epochs(arguments.epochs).with_overrides({"batch_size": 32})
    keras.utils.set_random_seed(0)
    model = build_model(recipe, width=0.25)
    run = train(recipe, model, few, arguments.folder / "run", in_memory=True, verbose=2)
    print(f"\naccuracy: {1 - run.test['error']:.1%} of {len(few.test.images)}; chance is 10%")

    probabilities = run.classifiers[0].predict(few.test.images, verbose=0)
    print("class        accuracy")
    for label, name in enumerate(whole.classes):
        of_class = few.test.labels == label
        if of_class.any():
            correct = np.argmax(probabilities[of_class], axis=1) == label
            print(f"{name:12} {correct.mean():.0%}")

    truth = np.eye(len(whole.classes), dtype=np.uint8)[few.test.labels]
    figure = plot_attributes(
        few.test.images[:12], probabilities[:12], whole.classes, truth[:12], threshold=0.2, top=4
    )
    save_figure(figure, arguments.folder / "cifar.png")
    print(f"Figure: {arguments.folder / 'cifar.png'}")


def some(part: LabeledImages, count: int) -> LabeledImages:
    """Return a fixed random subset of the images."""
    chosen = np.random.default_rng(0).permutation(len(part.images))[:count]
    return LabeledImages(part.images[chosen], part.labels[chosen])


if __name__ == "__main__":
    main()
