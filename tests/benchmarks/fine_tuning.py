"""Accuracy of fine-tuning x0.25 on few people: recipe by recipe, on halves of them, with seeds.

Forty people under two cameras, eight images each. A half is 20 people to train on; the others are
tested. A seed determines the initial values of new layers, the order of the images and their
augmentation. The folder is named as Market-1501 names it:

    python tests/benchmarks/fine_tuning.py --data pku_reid --weights osnet_x0_25_msmt17.pth \
        --output runs --recipes few_people strong --halves 0 1 2 --seeds 0 1 2

Every training goes into a folder below `--output`, is skipped if it is done, and continues if it
was interrupted. Its metrics go into `RECIPE-HALF-SEED.json`, and the table is of all of these
files. Differences are of the same halves and seeds.
"""

import argparse
import itertools
import json
import math
import statistics
from pathlib import Path

import keras
import numpy as np

from keras_osnet.data import ReidDataset, split_by_camera
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.evaluation import evaluate_retrieval
from keras_osnet.training import build_model, load_recipe, train

METRICS = ("cosine", "euclidean")
MOMENTA = (0.9, 0.97)
BASE = "few_people"


def split_in_halves(people, half):
    """Return 20 people to train on; of the others, queries of camera 1, a gallery of camera 2."""
    identities = sorted({person.identity for person in people})
    chosen = set(np.random.default_rng(half).permutation(identities)[: len(identities) // 2])
    query, gallery = split_by_camera([one for one in people if one.identity not in chosen])
    return ReidDataset(
        name=f"half-{half}",
        train=tuple(one for one in people if one.identity in chosen),
        query=tuple(query),
        gallery=tuple(gallery),
    )


def plain(recipe, **changes):
    """Return a recipe without held-out people, to compare like with like."""
    return recipe.with_overrides({"validation_fraction": 0.0, **changes})


FEW, PAPER = load_recipe("few_people"), load_recipe("fine_tune")
SCRATCH = load_recipe("from_scratch")
RECIPES = {
    "few_people": (plain(FEW), True),
    "strong": (plain(load_recipe("strong")), True),
    "few_people_guarded": (FEW, True),
    "few_people_from_scratch": (plain(FEW, fixbase_epochs=0), False),
    "few_people_triplet": (
        plain(FEW, **{"batch_size": [8, 4], "loss.triplet_weight": 0.5}),
        True,
    ),
    "few_people_p_by_k": (plain(FEW, batch_size=[8, 4]), True),
    "few_people_mutual": (plain(FEW, **{"loss.mutual": True}), True),
    "few_people_entropy": (plain(FEW, **{"loss.entropy_weight": 0.1}), True),
    "fine_tune": (PAPER, True),
    "from_scratch_70": (SCRATCH.with_epochs(70), False),
}
"""Recipe, and whether it starts from the weights."""

PARTS = {
    "rate_6e-4": {"optimizer.learning_rate": 6e-4},
    "rate_1e-3": {"optimizer.learning_rate": 1e-3},
    "warmup": {"schedule.warmup_epochs": 3},
    "epochs_30": {"epochs": 30},
    "no_erasing": {"augmentation": [{"name": "RandomFlip"}]},
    "neck": {"model.neck": "bn"},
    "gem": {"model.pooling": "gem"},
    "ema": {"optimizer.use_ema": True, "optimizer.ema_momentum": 0.95},
    "cosface": {"loss.name": "cosface", "loss.scale": 16, "loss.margin": 0.2},
    "arcface": {"loss.name": "arcface", "loss.scale": 16, "loss.margin": 0.2},
    "circle_softmax": {"loss.name": "circle", "loss.scale": 32},
    "center": {"loss.center_weight": 5e-4},
    "p_by_k": {"batch_size": [8, 4]},
    "triplet": {"batch_size": [8, 4], "loss.triplet_weight": 1, "loss.triplet_margin": "soft"},
    "circle": {"batch_size": [8, 4], "loss.circle_weight": 0.05},
}
"""Changes of `few_people`; `few_people+neck+circle` is the recipe with two of them."""


def recipe_of(name):
    """Return a recipe, and whether it starts from the weights."""
    name, *parts = name.split("+")
    recipe, pretrained = RECIPES[name]
    for part in parts:
        recipe = recipe.with_overrides(PARTS[part])
    return recipe, pretrained


def network(recipe, weights, seed):
    keras.utils.set_random_seed(seed)
    return build_model(recipe.with_overrides({"loss.mutual": False}), width=0.25, weights=weights)


class Averages(keras.callbacks.Callback):
    """Averages of the weights over the steps in which all layers are trained, as with `use_ema`.

    They do not change the training, so that one gives the figures with several of them and without.
    """

    def __init__(self, embedder):
        super().__init__()
        self.embedder = embedder

    def on_train_begin(self, logs=None):
        self.weights = {momentum: self._now() for momentum in MOMENTA}

    def on_train_batch_end(self, batch, logs=None):
        now = self._now()
        for momentum, average in self.weights.items():
            for mean, new in zip(average, now, strict=True):
                mean += (1 - momentum) * (new - mean)

    def _now(self):
        variables = self.embedder.trainable_variables
        return [np.array(keras.ops.convert_to_numpy(one)) for one in variables]

    def figures(self, dataset):
        """Return the figures with each of the averages, and put the last weights back."""
        last, found = self._now(), {}
        for momentum, average in self.weights.items():
            self._assign(average)
            found[momentum] = figures([self.embedder], dataset)
        self._assign(last)
        return found

    def _assign(self, values):
        for variable, value in zip(self.embedder.trainable_variables, values, strict=True):
            variable.assign(value)


def figures(models, dataset):
    found = {}
    for metric in METRICS:
        ranking = evaluate_retrieval(models, dataset.query, dataset.gallery, metric=metric).ranking
        found[metric] = [100 * ranking.rank(1), 100 * ranking.mean_average_precision]
    return found


def measure(name, half, seed, arguments, people):
    recipe, pretrained = recipe_of(name)
    dataset = split_in_halves(people, half)
    weights = arguments.weights if pretrained else None
    count = 2 if recipe.loss_term("mutual") else 1
    models = [network(recipe, weights, seed + 100 * number) for number in range(count)]
    result = {"recipe": name, "half": half, "seed": seed}
    if "+" not in name:
        result["before"] = figures(models, dataset)
    folder = arguments.output / name / f"half-{half}-seed-{seed}"
    averages = None if folder.exists() else Averages(models[0])  # not of a part of the steps
    run = train(
        recipe,
        models[0] if count == 1 else models,
        dataset,
        folder,
        seed=seed,
        in_memory=True,
        callbacks=[averages] if averages else [],
        verbose=arguments.verbose,
    )
    result["after"] = figures(run.embedders, dataset)
    if averages:
        result["averaged"] = averages.figures(dataset)
    if count > 1:
        result["each"] = [figures([one], dataset) for one in run.embedders]
    return result


def new_parser(description, recipes=None):
    """Return the options of this script and of `fine_tuning_reference.py`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--recipes", nargs="+", choices=recipes, default=[BASE])
    parser.add_argument("--halves", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    return parser


def measure_missing(arguments, measure, suffix=""):
    """Measure what has no file yet; return the results in all files.

    Args:
        arguments: Parsed by `new_parser`.
        measure: Maps a recipe's name, half, seed, arguments and people to a result.
        suffix: Follows the recipe's name in the names of files.
    """
    people = read_folder(arguments.data)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for seed, half, name in itertools.product(arguments.seeds, arguments.halves, arguments.recipes):
        file = arguments.output / f"{name}{suffix}-{half}-{seed}.json"
        if not file.exists():
            file.write_text(json.dumps(measure(name, half, seed, arguments, people)))
    return [json.loads(file.read_text()) for file in sorted(arguments.output.glob("*.json"))]


def main():
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument("--verbose", type=int, default=2)
    results = measure_missing(parser.parse_args(), measure)
    print_table(results)
    print_differences(results)


def print_table(results):
    print(f"\n{'':40}{'runs':>4}   rank-1 / mAP, cosine        euclidean")
    # `fine_tuning_reference.py` writes the same with torchreid.
    for name in sorted({one["recipe"] for one in results}):
        own = [one for one in results if one["recipe"] == name]
        averaged = [one for one in own if "averaged" in one]
        for when, found in (
            ("before", [one["before"] for one in own if "before" in one]),
            ("after", [one["after"] for one in own]),
            *(
                (f"momentum {momentum}", [one["averaged"][str(momentum)] for one in averaged])
                for momentum in MOMENTA
            ),
            ("one alone", [each for one in own for each in one.get("each", ())]),
        ):
            if found:
                cells = [_cell(found, metric, column) for metric in METRICS for column in (0, 1)]
                print(f"{name + ', ' + when:42}{len(found):>2}   " + "   ".join(cells))


def print_differences(results):
    """Print paired differences from `BASE`: mean ± standard error over halves and seeds."""
    print(f"\n{'difference from ' + BASE:40}{'pairs':>6}")
    after = {(one["recipe"], one["half"], one["seed"]): one["after"] for one in results}
    for name in sorted({one["recipe"] for one in results} - {BASE}):
        pairs = [
            (after[key], after[BASE, *key[1:]])
            for key in after
            if key[0] == name and (BASE, *key[1:]) in after
        ]
        cells = []
        for metric, column in itertools.product(METRICS, (0, 1)):
            values = [new[metric][column] - old[metric][column] for new, old in pairs]
            error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else math.nan
            cells.append(f"{statistics.fmean(values):+5.1f} ± {error:3.1f}" if values else "")
        print(f"{name:42}{len(pairs):>2}   " + "   ".join(cells))


def _cell(found, metric, column):
    values = [one[metric][column] for one in found]
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.fmean(values):5.1f} ± {spread:3.1f}"


if __name__ == "__main__":
    main()
