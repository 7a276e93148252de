"""How much of the gap between x0.25 and x1.0 closes when the small one learns the large one's.

Forty people under two cameras, eight images each, named as Market-1501 names them. Of each seed's
split, 20 people's images are learned without labels, and the 20 others are searched for (camera 1
in camera 2, cosine). The batch-norm statistics of both networks are first measured on the 20:

    python tests/benchmarks/distillation.py --data pku_reid --teacher osnet_x1_0_msmt17.pth.tar \
        --student osnet_x0_25_msmt17.pth --output runs --rows cosine relational --seeds 0 1 2 3 4

Every row and seed has a JSON file below `--output` and is skipped if it is there; an interrupted
training goes on. The table is of all of these. Differences are of the same queries, after less
before, with the 95 % interval of a bootstrap by identity over all splits.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from fine_tuning import split_in_halves

from keras_osnet import load_model
from keras_osnet.data import load_images
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.deploy import export
from keras_osnet.evaluation import embed_images
from keras_osnet.metrics import (
    camera_means,
    concatenate_features,
    evaluate_features,
    remove_camera_means,
)
from keras_osnet.runtime import Embedder
from keras_osnet.synthetic import write_synthetic_people
from keras_osnet.training import distill, load_recipe

RELATIONS = {"loss.distance_weight": 25.0, "loss.angle_weight": 50.0}
COSINE = {"loss.distance_weight": 0.0, "loss.angle_weight": 0.0, "loss.cosine_weight": 1.0}
ROWS = {
    "cosine": ("x1.0", COSINE),
    "cosine_projected": ("x1.0", {**COSINE, "loss.projection": True}),
    "relational_1": ("x1.0", {"loss.distance_weight": 1.0, "loss.angle_weight": 2.0}),
    "relational": ("x1.0", RELATIONS),
    "ensemble": ("both", RELATIONS),
    "centered": ("both, centered", RELATIONS),
    "centered_labels": (
        "both, centered",
        {
            **RELATIONS,
            "loss.label_weight": 1.0,
            "loss.label_smoothing": 0.1,
            "fixbase_epochs": 2,
        },
    ),
    "synthetic": ("x1.0", RELATIONS),
}
"""The teacher, one of `TEACHERS`, and changes to the recipe `distill`."""

TEACHERS = ("x1.0", "both", "both, centered")
"""x1.0; with the student as it was before, concatenated; and less the mean of each camera's vectors
of the training images. All with flips."""

SYNTHETIC_PEOPLE = 40


def remeasured(model, files):
    """Measure the batch-norm statistics of a network on images: the mean over their batches."""
    order = np.random.default_rng(0).permutation(len(files))
    pixels = load_images([files[index] for index in order], model.input_shape[1:3]).images
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert layers
    momentum = layers[0].momentum
    for number, start in enumerate(range(0, len(pixels), 64)):
        for layer in layers:
            layer.momentum = number / (number + 1)
        model(pixels[start : start + 64].astype("float32"), training=True)
    for layer in layers:
        layer.momentum = momentum
    return model


def figures(vectors, dataset):
    """Return rank-1 and average precision of each query, with its identity."""
    query, gallery = (vectors.vectors_of(part) for part in (dataset.query, dataset.gallery))
    ids, cameras = (
        [getattr(one, name) for one in dataset.gallery] for name in ("identity", "camera")
    )
    found = []
    for row, one in enumerate(dataset.query):
        result = evaluate_features(
            query[row : row + 1], gallery, [one.identity], ids, [one.camera], cameras
        )
        found.append([one.identity, result.rank(1), result.mean_average_precision])
    return found


def of_network(model, dataset):
    return figures(embed_images(model, tested(dataset)), dataset)


def of_int8(model, dataset):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.tflite"
        export(model, file, quantization="int8", calibration=learned(dataset))
        return figures(Embedder(file).embed_files(tested(dataset)), dataset)


def tested(dataset):
    return [one.path for one in (*dataset.query, *dataset.gallery)]


def learned(dataset):
    return [one.path for one in dataset.train]


def centered(table, dataset):
    """Return vectors of length 1 less their camera's mean over the training images."""
    camera = {one.path: one.camera for one in dataset.all_images}
    cameras = np.array([camera[path] for path in table.paths])
    trained = np.isin(table.paths, learned(dataset))
    means = camera_means(table.vectors[trained], cameras[trained])
    return replace(table, vectors=remove_camera_means(table.vectors, cameras, means))


def joined(tables):
    return replace(tables[0], vectors=concatenate_features([table.vectors for table in tables]))


def prepare(seed, arguments, people):
    """Measure a split's teachers and its student before the training; keep vectors and student."""
    dataset = split_in_halves(people, seed)
    folder = arguments.output
    file, student = folder / f"before-{seed}.json", folder / f"student-{seed}.keras"
    names = [folder / f"{teacher}-{seed}.npz" for teacher in TEACHERS]
    if not file.exists():
        large, small = (
            remeasured(network(weights), learned(dataset))
            for weights in (arguments.teacher, arguments.student)
        )
        small.save(student)
        large.save(folder / f"teacher-{seed}.keras")
        files = [*learned(dataset), *tested(dataset)]
        tables = [embed_images(model, files, flip=True) for model in (large, small)]
        teachers = [
            tables[0],
            joined(tables),
            joined([centered(table, dataset) for table in tables]),
        ]
        for table, name in zip(teachers, names, strict=True):
            table.save(name)
        found = {
            teacher: figures(table, dataset)
            for teacher, table in zip(TEACHERS, teachers, strict=True)
        }
        found |= {"float": of_network(small, dataset), "int8": of_int8(small, dataset)}
        file.write_text(json.dumps(found))
    return dataset, student, dict(zip(TEACHERS, names, strict=True))


def network(weights):
    return load_model(weights, head="embedding", include_preprocessing=True)


def measure(row, seed, arguments, people):
    dataset, student, tables = prepare(seed, arguments, people)
    kind, changes = ROWS[row]
    recipe = load_recipe("distill").with_epochs(arguments.epochs).with_overrides(changes)
    images, teacher = dataset, tables[kind]
    if row == "synthetic":
        images, teacher = arguments.output / "synthetic", arguments.output / f"teacher-{seed}.keras"
        if not images.exists():
            write_synthetic_people(images, SYNTHETIC_PEOPLE, cameras=2, views=4)
    model = network(student)
    distill(
        recipe,
        model,
        teacher,
        images,
        arguments.output / row / f"seed-{seed}",
        seed=seed,
        in_memory=True,
        verbose=2,
    )
    found = {"row": row, "seed": seed, "float": of_network(model, dataset)}
    if row == "synthetic":
        # With the batch-norm statistics of the real images, as before the training.
        found["remeasured"] = of_network(remeasured(model, learned(dataset)), dataset)
    if not arguments.float_only:
        found["int8"] = of_int8(model, dataset)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "teacher", "student", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=["relational"])
    parser.add_argument("--seeds", nargs="*", type=int, default=range(5))
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--float-only", action="store_true", help="Do not measure int8.")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    people = read_folder(arguments.data)
    for seed in arguments.seeds:
        prepare(seed, arguments, people)
    for row in arguments.rows:
        for seed in arguments.seeds:
            file = arguments.output / f"{row}-{seed}.json"
            if not file.exists():
                file.write_text(json.dumps(measure(row, seed, arguments, people)))
    print_table(arguments.output)


def print_table(output):
    before = {
        int(file.stem.rpartition("-")[2]): json.loads(file.read_text())
        for file in output.glob("before-*.json")
    }
    print(f"\n{'':32}splits  rank-1   mAP   difference of rank-1    difference of mAP   of the gap")
    for kind in (*TEACHERS, "float", "int8"):
        seeds = sorted(before)
        print(f"before, {kind:24}{len(seeds):6}{shown([before[seed][kind] for seed in seeds])}")
    for row in ROWS:
        files = [output / f"{row}-{seed}.json" for seed in sorted(before)]
        results = [json.loads(file.read_text()) for file in files if file.exists()]
        for kind in ("float", "remeasured", "int8"):
            own = [one for one in results if kind in one]
            if own:
                start = [before[one["seed"]]["int8" if kind == "int8" else "float"] for one in own]
                teacher = [before[one["seed"]]["x1.0"] for one in own]
                after = [one[kind] for one in own]
                parts = "   ".join(difference(start, after, column) for column in (1, 2))
                gap = [share(start, after, teacher, column) for column in (1, 2)]
                print(
                    f"{row + ', ' + kind:32}{len(own):6}{shown(after)}   {parts}   "
                    f"{gap[0]:4.0f} / {gap[1]:.0f} %"
                )


def mean(splits, column):
    return 100 * np.mean([query[column] for split in splits for query in split])


def shown(splits):
    return "".join(f"{mean(splits, column):8.1f}" for column in (1, 2))


def share(start, after, teacher, column):
    """Return the share of the gap between student and teacher that is closed, in percent."""
    first, last, goal = (mean(splits, column) for splits in (start, after, teacher))
    return 100 * (last - first) / (goal - first)


def difference(start, after, column):
    """Return the paired difference and its interval, drawn by identity."""
    rows = [
        (one[0], 100 * (other[column] - one[column]))
        for split, later in zip(start, after, strict=True)
        for one, other in zip(split, later, strict=True)
    ]
    identities, values = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    people, place = np.unique(identities, return_inverse=True)
    sums, counts = np.bincount(place, values), np.bincount(place)
    draws = np.random.default_rng(0).integers(len(people), size=(10_000, len(people)))
    low, high = np.percentile(sums[draws].sum(axis=1) / counts[draws].sum(axis=1), [2.5, 97.5])
    return f"{values.mean():+5.1f} ({low:+.1f} to {high:+.1f})"


if __name__ == "__main__":
    main()
