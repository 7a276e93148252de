"""Embed images in three lines and match people between two cameras; offline, one minute.

This script draws synthetic people under two cameras, embeds the images with bundled weights, and
searches for each person of the first camera under the second:

    python examples/first_embedding.py
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # silence TensorFlow's start-up messages

import keras_osnet
from keras_osnet.metrics import evaluate_ranking, pairwise_distances
from keras_osnet.synthetic import synthetic_people
from keras_osnet.visualize import plot_ranked_lists, save_figure

FIRST_IDENTITY = 10_000
"""Identities from here on are not part of the training data of the weights."""


def main() -> None:
    """Draw people, embed them, search, draw a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=20, help="number of people to draw")
    parser.add_argument("--output", type=Path, default=Path("first_embedding.png"))
    arguments = parser.parse_args()
    whom = range(FIRST_IDENTITY, FIRST_IDENTITY + arguments.people)

    # For real people, use your own crops (RGB, 0–255) and weights="msmt17_combineall".
    people = synthetic_people(whom, cameras=2, views=2, image_size=(128, 64))
    model = keras_osnet.OSNet(
        0.25, weights="synthetic", head="embedding", include_preprocessing=True
    )
    embeddings = model.predict(people.images, verbose=0)  # (80, 512)
    print(f"{len(people.images)} images, embeddings {embeddings.shape}\n")

    # Queries: one image per person of the first camera. Gallery: all images of the second.
    query, gallery = (people.cameras == 0).nonzero()[0][::2], (people.cameras == 1).nonzero()[0]
    distances = pairwise_distances(embeddings[query], embeddings[gallery], metric="cosine")
    labels = people.identities[query], people.identities[gallery]
    print("person  nearest  distance")
    for person, row in zip(labels[0], distances, strict=True):
        nearest = labels[1][row.argmin()]
        verdict = "" if nearest == person else "  wrong"
        print(f"{person:<7} {nearest:<8} {row.min():.3f}{verdict}")
    result = evaluate_ranking(distances, *labels)
    print(f"\nrank-1 {result.rank(1):.1%}, mAP {result.mean_average_precision:.1%}")

    figure = plot_ranked_lists(
        people.images[query], people.images[gallery], distances, *labels, top=6
    )
    save_figure(figure, arguments.output)
    print(f"Figure: {arguments.output}")


if __name__ == "__main__":
    main()
