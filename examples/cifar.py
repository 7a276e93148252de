"""The same network for pictures of things: CIFAR-10 by the recipe `cifar`.

You need a copy of CIFAR-10: the folder `cifar-10-batches-bin` of its binary version. It learns from
few of the pictures for few epochs, some minutes on a CPU: this shows how it is done, and not how
good it gets.

    python examples/cifar.py --data cifar-10-batches-bin

All pictures and the recipe's 200 epochs are one command:

    keras-osnet train cifar --dataset cifar10 --data cifar-10-batches-bin -o cifar
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow has much to say as it starts

import keras
import numpy as np

from keras_osnet.data import LabelledImages, read_dataset
from keras_osnet.training import build_model, load_recipe, train
from keras_osnet.visualize import plot_attributes, save_figure


def main() -> None:
    """Read, train, count, show."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder, or an .npz file")
    parser.add_argument("--pictures", type=int, default=2000, help="how many to learn from")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--part", action="store_true", help="the folder is not all of CIFAR-10")
    parser.add_argument("--folder", type=Path, default=Path("cifar"), help="where to write")
    arguments = parser.parse_args()

    whole = read_dataset("cifar10", arguments.data, check=not arguments.part)
    few = replace(
        whole,
        train=some(whole.train, arguments.pictures),
        test=some(whole.test, arguments.pictures // 2),
    )
    print(f"{len(few.train.images)} pictures to learn from, {len(few.test.images)} to test on")

    # So few pictures are few steps an epoch: smaller batches make more of them.
    recipe = load_recipe("cifar").with_epochs(arguments.epochs).changed({"batch_size": 32})
    keras.utils.set_random_seed(0)
    model = build_model(recipe, width=0.25)
    run = train(recipe, model, few, arguments.folder / "run", in_memory=True, verbose=2)
    print(f"\nright: {1 - run.result['error']:.1%} of {len(few.test.images)}; 10% by guessing")

    probabilities = run.classifiers[0].predict(few.test.images, verbose=0)
    print("class        right")
    for label, name in enumerate(whole.classes):
        of_class = few.test.labels == label
        if of_class.any():
            right = np.argmax(probabilities[of_class], axis=1) == label
            print(f"{name:12} {right.mean():.0%}")

    truth = np.eye(len(whole.classes), dtype=np.uint8)[few.test.labels]
    figure = plot_attributes(
        few.test.images[:12], probabilities[:12], whole.classes, truth[:12], threshold=0.2, top=4
    )
    save_figure(figure, arguments.folder / "cifar.png")
    print(f"Look at {arguments.folder / 'cifar.png'}")


def some(part: LabelledImages, count: int) -> LabelledImages:
    """Return some pictures of a part, always the same ones."""
    chosen = np.random.default_rng(0).permutation(len(part.images))[:count]
    return LabelledImages(part.images[chosen], part.labels[chosen])


if __name__ == "__main__":
    main()
