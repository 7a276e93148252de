"""What somebody wears: 26 attributes of drawn people; no network, a minute.

The weights that come with the package know drawn people; their attributes are those of PA-100K.
It prints how well each is recognised, and draws people with what was seen in them, as in the
paper's Fig. 7:

    python examples/attributes.py

For attributes of your own see docs/attributes.md.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow has much to say as it starts

import keras_osnet
from keras_osnet.metrics import evaluate_attributes
from keras_osnet.synthetic import synthetic_people
from keras_osnet.visualize import plot_attributes, save_figure

FIRST_IDENTITY = 10_000
"""Nobody whom the weights were trained on."""


def main() -> None:
    """Draw, recognise, count, show."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=200, help="how many to draw")
    parser.add_argument("--output", type=Path, default=Path("attributes.png"))
    arguments = parser.parse_args()
    whom = range(FIRST_IDENTITY, FIRST_IDENTITY + arguments.people)

    people = synthetic_people(whom, cameras=4, views=1, size=(128, 64))
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
    print(f"\n{len(people.images)} pictures: mA {result.mean_accuracy:.1%}, F1 {result.f1:.1%}")
    print("An attribute that is guessed has mA 50%, however rare it is.")

    shown = slice(0, 27, 3)  # nine pictures of the first people, under all cameras
    figure = plot_attributes(
        people.images[shown],
        probabilities[shown],
        people.attribute_names,
        people.attributes[shown],
    )
    save_figure(figure, arguments.output)
    print(f"Look at {arguments.output}")


if __name__ == "__main__":
    main()
