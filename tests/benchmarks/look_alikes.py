"""Omni-scale blocks beside single-scale ones on people who differ in a small detail.

    python tests/benchmarks/look_alikes.py --output runs

Synthetic look-alikes, three of a kind, who share all but shoes, a print, a bag, a hat or a scarf
(as in Fig. 1 of the paper). Networks of width 0.25 with T=4 streams and the unified gate, with T=4
and addition instead, and with T=1, are trained from random values on some and tested on others.
`of its kind`: how often, among the gallery's images of the three look-alikes alone, the nearest
is the right person's (a third by chance). `detail`: in how many of the images that show the
detail its place is more active (Fig. 6's maps) than three quarters of the image are. Every
training goes into a folder below `--output`, is skipped if it is done, and goes on if it was
interrupted. `--image` draws where the networks of the first seed are active, into a file.
"""

import argparse
import json
import statistics
from pathlib import Path

import keras
import numpy as np

from keras_osnet import OSNet
from keras_osnet.data import split_by_camera
from keras_osnet.data.images import resize_image
from keras_osnet.data.records import ReidDataset
from keras_osnet.metrics import evaluate_ranking, pairwise_distances
from keras_osnet.synthetic import synthetic_people, write_synthetic_people
from keras_osnet.training import load_recipe, train
from keras_osnet.visualize import activation_maps, feature_maps, plot_maps, save_figure

NETWORKS = {
    "T=4, gate": {},
    "T=4, addition": {"fusion": "addition"},
    "T=1": {"streams": 1, "fusion": "addition"},
}
SEEDS = (0, 1, 2)
SIZE = (128, 64)
ALIKE, CAMERAS, VIEWS = 3, 4, 2
TRAINED, TESTED = range(300), range(3000, 3090)
DRAWN = 4
"""Number of groups of look-alikes in the figure."""
ACTIVE = 75
"""Percentage of an image that the detail has to be more active than."""


def world(folder, identities, seed):
    return write_synthetic_people(
        folder, identities, CAMERAS, VIEWS, image_size=SIZE, seed=seed, look_alikes=ALIKE
    )


def measure(name, seed, epochs, output):
    trained = world(output / f"people-{seed}", TRAINED, seed)
    tested = world(output / f"others-{seed}", TESTED, seed)
    query, gallery = split_by_camera(tested)
    dataset = ReidDataset("look-alikes", tuple(trained), tuple(query), tuple(gallery))
    keras.utils.set_random_seed(seed)
    model = OSNet(
        0.25,
        head="embedding",
        input_shape=(*SIZE, 3),
        include_preprocessing=True,
        **NETWORKS[name],
    )
    recipe = load_recipe(Path(__file__).parents[2] / "weights" / "synthetic.toml")
    run = train(
        recipe.with_epochs(epochs),
        model,
        dataset,
        output / f"{slug(name)}-{seed}",
        seed=seed,
        in_memory=True,
        verbose=2,
    )
    people = synthetic_people(TESTED, CAMERAS, VIEWS, image_size=SIZE, seed=seed, look_alikes=ALIKE)
    return {"network": name, "seed": seed, **found(run.embedders[0], people)}


def found(model, people):
    vectors = model.predict(people.images, verbose=0)
    query = people.cameras == 0
    distances = pairwise_distances(vectors[query], vectors[~query], metric="cosine")
    sides = people.identities[query], people.identities[~query]
    ranking = evaluate_ranking(distances, *sides)
    kinds = [side // ALIKE for side in sides]
    distances[kinds[0][:, None] != kinds[1]] = np.inf
    right = sides[1][distances.argmin(axis=1)] == sides[0]
    return {
        "rank-1": 100 * ranking.rank(1),
        "mAP": 100 * ranking.mean_average_precision,
        "of its kind": 100 * right.mean(),
        "detail": 100 * details_seen(model, people),
    }


def details_seen(model, people):
    """Return the share of visible details in the most active quarter of the image."""
    shown = people.detail_masks.any(axis=(1, 2))
    images, masks = people.images[shown], people.detail_masks[shown]
    maps = activation_maps(feature_maps(model, images, ["conv5"])["conv5"])
    seen = []
    for activity, mask in zip(maps, masks, strict=True):
        scaled = (255 * activity / activity.max()).astype("uint8")
        large = resize_image(np.repeat(scaled[..., None], 3, axis=-1), SIZE)[..., 0]
        seen.append(large[mask].mean() > np.percentile(large, ACTIVE))
    return np.mean(seen)


def draw(seed, output, file):
    """Draw two look-alikes of each group, the detail that differs, and the activation maps."""
    identities = [first + member for first in TESTED[: ALIKE * DRAWN : ALIKE] for member in (0, 1)]
    people = synthetic_people(identities, 1, 1, image_size=SIZE, seed=seed, look_alikes=ALIKE)
    columns = {"the detail": people.detail_masks.astype("float32")}
    for name in NETWORKS:
        model = keras.models.load_model(output / f"{slug(name)}-{seed}" / "last.keras")
        maps = feature_maps(model, people.images, ["conv5"])["conv5"]
        columns[name] = activation_maps(maps)
    save_figure(plot_maps(people.images, columns), file)


def slug(name):
    return name.lower().replace("=", "").replace(", ", "-")


def print_table(results):
    columns = ("rank-1", "mAP", "of its kind", "detail")
    print(f"\n{'':16}{'seeds':>6}" + "".join(f"{column:>16}" for column in columns))
    for name in NETWORKS:
        own = [each for each in results if each["network"] == name]
        if own:
            cells = ""
            for column in columns:
                values = [each[column] for each in own]
                spread = statistics.stdev(values) if len(values) > 1 else 0.0
                cells += f"{statistics.fmean(values):9.1f} ± {spread:4.1f}"
            print(f"{name:16}{len(own):>6}{cells}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--image", type=Path)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        for name in arguments.networks:
            file = arguments.output / f"{slug(name)}-{seed}.json"
            if not file.exists():
                result = measure(name, seed, arguments.epochs, arguments.output)
                file.write_text(json.dumps(result))
    if arguments.image:
        draw(arguments.seeds[0], arguments.output, arguments.image)
    print_table([json.loads(file.read_text()) for file in sorted(arguments.output.glob("*.json"))])


if __name__ == "__main__":
    main()
