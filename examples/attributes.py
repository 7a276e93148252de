"""Recognize 26 attributes of synthetic people; offline, one minute.

The bundled weights were trained on synthetic people with the attributes of PA-100K. This script
prints the accuracy of each attribute and draws people with their predicted attributes, as in Fig. 7
of the paper:

    python examples/attributes.py

docs/attributes.md describes how to train on your own attributes.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # silence TensorFlow's start-up messages

import keras_osnet
from keras_osnet.metrics import evaluate_attributes
from keras_osnet.synthetic import synthetic_people
from keras_osnet.visualize import plot_attributes, save_figure

FIRST_IDENTITY = 10_000
"""Identities from here on are not part of the training data of the weights."""


def main() -> None:
    """Draw people, predict their attributes, print the metrics, draw a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=200, help="number of people to draw")
    parser.add_argument("--output", type=Path, default=Path("attributes.png"))
    arguments = parser.parse_args()
    whom = range(FIRST_IDENTITY, FIRST_IDENTITY + arguments.people)

    people = synthetic_people(whom, cameras=4, views=1, image_size=(128, 64))
    model = keras_osnet.OSNet(
        0.25,
        weights="synthetic_attributes",
        head="attribute",
        pooling="max",
        include_preprocessing=True,
    )
    probabilities = model.predict(people.images, verbose=0)  # (800, 26), each from 0 to 1

    result = evaluate_attributes(probabilities, people.attributes)
    print("attribute            shown by  mA")
    shares = people.attributes.mean(axis=0)
    columns = zip(people.attribute_names, shares, result.attribute_accuracy, strict=True)
    for name, share, accuracy in columns:
        print(f"{name:20} {share:7.1%} {accuracy:7.1%}")
    print(f"\n{len(people.images)} images: mA {result.mean_accuracy:.1%}, F1 {result.f1:.1%}")
    print("Guessing gives an mA of 50%, however rare the attribute.")

    shown = slice(0, 27, 3)  # nine images of the first people, under all cameras
    figure = plot_attributes(
        people.images[shown],
        probabilities[shown],
        people.attribute_names,
        people.attributes[shown],
    )
    save_figure(figure, arguments.output)
    print(f"Figure: {arguments.output}")


if __name__ == "__main__":
    main()
