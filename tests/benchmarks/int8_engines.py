"""Accuracy and speed of float32 and int8 files in every engine.

    python tests/benchmarks/int8_engines.py --images pku_reid \
        --weights osnet_x1_0.pth.tar osnet_x0_25.pth

The images are those of a folder in Market-1501's naming: queries of camera 1, a gallery of camera
2, cosine. int8 is calibrated on the first 10 people, once for all formats. `rank-1` and `mAP` are
of all people; `cosine` is the lowest to the float32 embeddings of LiteRT. `ms` is the time of
`Engine.run` per image, with the quartiles over the rounds: every file has a process of its own, and
all of them take turns.
"""

import argparse
import functools
import itertools
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import numpy as np
from turns import Contender, serve

BATCHES = (1, 32)
CALIBRATED = 10
COMPARED = 16
ENGINES = {"litert": ".tflite", "onnxruntime": ".onnx", "openvino": ".xml"}
QUANTIZATIONS = (None, "int8")


def exported(weights, images, calibration, folder):
    """Write the files of a model; return (width, engine, quantization, file) of each."""
    from keras_osnet import deploy
    from keras_osnet.deploy import int8
    from keras_osnet.models import load_model

    model = load_model(weights, head="embedding")
    found = []
    rounded, rounding = [], int8.round_weights

    def once(served, shots):
        """Round the weights once for the three formats, which takes most of the time."""
        if not rounded:
            rounded.append(rounding(served, shots))
        return rounded[0]

    with (
        mock.patch.object(int8, "round_weights", once),
        mock.patch.object(int8.tflite_file, "round_weights", once),
    ):
        for quantization, (engine, suffix) in itertools.product(QUANTIZATIONS, ENGINES.items()):
            file = folder / f"{model.name}-{quantization or 'float32'}{suffix}"
            settings = {"calibration": calibration} if quantization else {}
            deploy.export(
                model, file, quantization=quantization, batch=None, images=images, **settings
            )
            found.append((model.name, engine, quantization or "float32", str(file)))
    return found


def opened(file, engine, threads):
    from keras_osnet.runtime.engines import open_engine
    from keras_osnet.runtime.read_metadata import read_model_file

    return open_engine(read_model_file(Path(file)), engine, precision="float32", threads=threads)


def works(task):
    """Return the functions to time in a file's process, by their number of images."""
    engine = opened(task["file"], task["engine"], task["threads"])
    images = np.random.default_rng(0).integers(0, 256, (max(BATCHES), 256, 128, 3), np.uint8)
    engine.run(images[:1])
    return {str(batch): functools.partial(engine.run, images[:batch]) for batch in BATCHES}


def retrieval(vectors, ids, cameras, chosen=True):
    """Return rank-1 and mAP in percent: queries of camera 1, a gallery of camera 2, cosine."""
    from keras_osnet.metrics import evaluate_features

    query, gallery = chosen & (cameras == 1), chosen & (cameras == 2)
    result = evaluate_features(
        vectors[query],
        vectors[gallery],
        ids[query],
        ids[gallery],
        cameras[query],
        cameras[gallery],
        metric="cosine",
    )
    return 100 * result.rank(1), 100 * result.mean_average_precision


def lowest_cosine(vectors, expected):
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(expected, axis=1)
    return ((vectors * expected).sum(axis=1) / norms).min()


def timed(files, threads, rounds):
    """Return the milliseconds per image of each file, (rounds, batches), all taking turns."""
    with ExitStack() as stack:
        contenders = [
            stack.enter_context(
                Contender(__file__, file, file=file, engine=engine, threads=threads)
            )
            for _, engine, _, file in files
        ]
        for _ in range(rounds):
            for contender in contenders:
                contender.turn()
        return [
            np.array(
                [[1e3 * turn[str(batch)] / batch for batch in BATCHES] for turn in each.rounds]
            )
            for each in contenders
        ]


def size(file):
    """Return the bytes of a file, with OpenVINO's weights."""
    path = Path(file)
    weights = path.with_suffix(".bin")
    return path.stat().st_size + (weights.stat().st_size if path.suffix == ".xml" else 0)


def measured(files, images, people, threads):
    """Yield rank-1, mAP and lowest cosine of each file."""
    ids = np.array([person.identity for person in people])
    cameras = np.array([person.camera for person in people])
    expected = {}
    for name, engine, _, file in files:
        vectors = opened(file, engine, threads).run(images)
        expected.setdefault(name, vectors)
        yield (*retrieval(vectors, ids, cameras), lowest_cosine(vectors, expected[name]))


def print_table(files, accuracies, times):
    batches = "".join(f"{f'ms, batch {batch} (quartiles)':>28}" for batch in BATCHES)
    print(
        f"{'network':14}{'engine':13}{'weights':9}{'kB':>7}{'rank-1':>8}{'mAP':>7}{'cosine':>8}{batches}"
    )
    for (name, engine, quantization, file), accuracy, own in zip(
        files, accuracies, times, strict=True
    ):
        rank_1, precision, cosine = accuracy
        cells = ""
        for column in own.T:
            low, middle, high = np.percentile(column, (25, 50, 75))
            cells += f"{f'{middle:.2f} ({low:.2f}–{high:.2f})':>28}"
        print(
            f"{name:14}{engine:13}{quantization:9}{size(file) / 1000:7.0f}"
            f"{rank_1:8.2f}{precision:7.2f}{cosine:8.4f}{cells}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", nargs="+", help="checkpoints of OSNets")
    parser.add_argument("--images", type=Path, help="a folder of images in Market-1501's naming")
    parser.add_argument("--files", type=Path, help="a folder to keep the exported files in")
    parser.add_argument("--rounds", type=int, default=7, help="0 measures the accuracy alone")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        serve(json.loads(arguments.work), works)
        return
    for name in ("weights", "images"):
        if getattr(arguments, name) is None:
            parser.error(f"--{name} is needed")
    from keras_osnet.data import load_images
    from keras_osnet.data.datasets.market1501 import read_folder

    people = sorted(read_folder(arguments.images), key=lambda person: person.path.name)
    images = load_images([person.path for person in people], (256, 128)).images
    first = np.isin(
        [person.identity for person in people],
        sorted({person.identity for person in people})[:CALIBRATED],
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.files or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for weights in arguments.weights:
            record = folder / f"{Path(weights).name}.json"
            if not record.exists():
                made = exported(weights, images[~first][:COMPARED], images[first], folder)
                record.write_text(json.dumps(made))
            files += json.loads(record.read_text())
        accuracies = list(measured(files, images, people, arguments.threads))
        rounds = max(arguments.rounds, 0)
        blank = np.full((1, len(BATCHES)), np.nan)
        times = timed(files, arguments.threads, rounds) if rounds else [blank] * len(files)
        print_table(files, accuracies, times)


if __name__ == "__main__":
    main()
