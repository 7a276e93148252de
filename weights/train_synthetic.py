"""Train the weights "synthetic" and "synthetic_attributes", which come with the package.

    python weights/train_synthetic.py --work synthetic_training

It draws people into the working folder and trains x0.25 on them for re-identification by
`synthetic.toml`. For attributes, it does the same with people under the cameras of the images with
attributes, and continues by `synthetic_attributes.toml`. It evaluates both on people and
look-alikes that are not part of the training data, and, with `--real FOLDER`, on real images (named
as in Market-1501); and writes the two folders beside this file. Run the same command again to
resume an interrupted training.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras

from keras_osnet import OSNet
from keras_osnet.data import attributes_from_table, merge_datasets, read_people, split_by_camera
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.evaluation import evaluate_retrieval
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.training import Recipe, build_model, load_recipe, train
from keras_osnet.training.training_result import TrainingResult
from keras_osnet.weights import save_for_hub, save_safetensors

HERE = Path(__file__).parent
SIZE = (128, 64)
CAMERAS, VIEWS = 16, 1
WORLDS = range(20, 44)
"""Seeds. Each has its own people and its own cameras, so that the network meets many cameras."""

PEOPLE, LOOK_ALIKES = range(30), range(30, 45)
"""Identities of each world."""

DRESSED, DRESSED_CAMERAS, DRESSED_WORLD = range(1000, 4000), 4, 0
"""For attributes: many people with few images each, because each person wears one outfit."""

FIRST_PEOPLE, FIRST_LOOK_ALIKES, FIRST_EPOCHS = range(600), range(300), 14
"""Identities of the same seed, to find again before attributes are learned, and for how long."""

UNSEEN, UNSEEN_LOOK_ALIKES = range(10_000, 10_100), range(9_999, 10_099)
"""Test identities. The first of the look-alikes is the first of a group of three."""

OTHER_WORLD = 7
"""A seed that is not trained on."""


def main() -> None:
    """Draw, train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("synthetic_training"))
    parser.add_argument("--real", type=Path, help="real people to measure on as well")
    parser.add_argument("--only", choices=["synthetic", "synthetic_attributes"])
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.only != "synthetic_attributes":
        train_embedding(arguments.work, arguments.real)
    if arguments.only != "synthetic":
        train_attributes(arguments.work)


def train_embedding(work: Path, real: Path | None) -> None:
    """Train the weights for re-identification."""
    recipe = load_recipe(HERE / "synthetic.toml")
    run = learn_people(work, "embedding", recipe, WORLDS, PEOPLE, LOOK_ALIKES)
    metrics = {}
    for name, folder in tests(work).items():
        metrics[name] = found(run.embedders[0], read_folder(folder))
        print(name, metrics[name], flush=True)
    if real is not None:
        metrics["pku-reid-40"] = found(run.embedders[0], read_folder(real))
        print(real, metrics["pku-reid-40"], flush=True)
    write("synthetic", embedder_of(run.embedders[0]), metrics, EMBEDDING)


def train_attributes(work: Path) -> None:
    """Train the weights for attributes."""
    recipe = load_recipe(HERE / "synthetic.toml").with_epochs(FIRST_EPOCHS)
    worlds = [DRESSED_WORLD]
    first = learn_people(work, "attributes_first", recipe, worlds, FIRST_PEOPLE, FIRST_LOOK_ALIKES)
    save_safetensors(first.classifiers[0], work / "attributes_first.safetensors")
    recipe = load_recipe(HERE / "synthetic_attributes.toml")
    people = work / "dressed"
    write_synthetic_people(people, DRESSED, DRESSED_CAMERAS, 1, image_size=SIZE, seed=DRESSED_WORLD)
    dataset = attributes_from_table(people / "attributes.csv")
    keras.utils.set_random_seed(0)
    model = build_model(recipe, weights=work / "attributes_first.safetensors")
    run = train(recipe, model, dataset, work / "attributes", in_memory=True, verbose=2)
    assert run.test is not None
    print(run.test, flush=True)
    percent = {name: round(100 * run.test[name], 1) for name in ("mA", "F1")}
    write("synthetic_attributes", run.classifiers[0], {"synthetic": percent}, ATTRIBUTES)


def learn_people(
    work: Path,
    name: str,
    recipe: Recipe,
    worlds: Sequence[int],
    people: range,
    look_alikes: range,
) -> TrainingResult:
    """Draw people under the cameras of each world, and train a network to find them again."""
    folders = []
    for world in worlds:
        print(f"Drawing people, seed {world}", flush=True)
        folders.append(draw(work / f"{name}_people_{world}", people, seed=world))
        folders.append(draw(work / f"{name}_alike_{world}", look_alikes, alike=3, seed=world))
    dataset = replace(merge_datasets([read_people(each) for each in folders]), name="synthetic")
    keras.utils.set_random_seed(0)
    return train(recipe, build_model(recipe), dataset, work / name, in_memory=True, verbose=2)


def draw(folder: Path, identities: range, *, seed: int, alike: int = 1) -> Path:
    """Write a folder of synthetic people and return it."""
    write_synthetic_people(
        folder, identities, CAMERAS, VIEWS, image_size=SIZE, seed=seed, look_alikes=alike
    )
    return folder


def tests(work: Path) -> dict[str, Path]:
    """People whom nobody has trained on."""
    return {
        "synthetic": draw(work / "unseen", UNSEEN, seed=WORLDS[0]),
        "synthetic-look-alikes": draw(
            work / "unseen_alike", UNSEEN_LOOK_ALIKES, alike=3, seed=WORLDS[0]
        ),
        "synthetic-other-cameras": draw(work / "elsewhere", UNSEEN, seed=OTHER_WORLD),
    }


def found(model: keras.Model, people: list) -> dict[str, float | str]:
    """Rank-1 and mAP in percent: camera 1's images are queries, all others' the gallery."""
    query, gallery = split_by_camera(people)
    ranking = evaluate_retrieval(model, query, gallery, metric="cosine").ranking
    return {
        "rank_1": round(100 * ranking.rank(1), 1),
        "mAP": round(100 * ranking.mean_average_precision, 1),
        "metric": "cosine",
    }


def embedder_of(model: keras.Model) -> keras.Model:
    """The network under the name that its card is to have."""
    named = OSNet(
        0.25,
        head="embedding",
        input_shape=(*SIZE, 3),
        include_preprocessing=True,
        name="osnet_x0_25_synthetic",
    )
    named.set_weights(model.get_weights())
    return named


def write(tag: str, model: keras.Model, metrics: dict, description: str) -> None:
    """Write a folder that is included in the package and can be pushed to the Hub."""
    save_for_hub(
        model,
        HERE / f"osnet_x0_25_{tag}",
        license="mit",
        trained_on="synthetic",
        base=None,
        metrics=metrics,
        description=f"{description.strip()} {USE.strip()}".format(tag=tag),
    )


EMBEDDING = """
Trained on synthetic people only, with `python weights/train_synthetic.py` of the repository: 24
times 30 people and 15 look-alikes (groups of three who differ in shoes, a print, a bag, a hat or a
scarf), each time under 16 other synthetic cameras, 128 × 64 pixels. Tested on 100 people who are
not part of the training data, under 16 cameras of the training data (`synthetic`) and under 16
others (`synthetic-other-cameras`), on 34 groups of look-alikes under cameras of the training data
(`synthetic-look-alikes`), and, to show how little this says about real images, on 40 people of
PKU-Reid (`pku-reid-40`). Queries are the images of the first camera, the gallery those of all
others.
"""

ATTRIBUTES = """
The 26 attributes of PA-100K, trained on synthetic people only, with
`python weights/train_synthetic.py` of the repository: 2,400 people under 4 synthetic cameras,
128 × 64 pixels, starting from a network that had learned to find 900 others under 16 cameras, these
4 among them. Tested on 600 other people under the 4 cameras.
"""

USE = """
The weights are included in keras-osnet as `weights="{tag}"`, for first steps without network
access, examples and tests. **Do not use them for real people:** start from published weights
instead.
"""

if __name__ == "__main__":
    main()
