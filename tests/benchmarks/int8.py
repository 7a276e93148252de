"""Effect of each part of int8 quantization on real people, and cost of the file.

    python tests/benchmarks/int8.py weights.pth images/ --rows all

The images are those of a folder in Market-1501's naming: queries of camera 1, a gallery of camera
2, cosine. Calibration takes the first 10 people's. `rank-1` and `mAP` are of all people, `held` of
the others; `cosine` is to the float32 embeddings, median and lowest over all images; `ms` is the
time of one image with 1 and with 2 threads, median of rounds in which all files take turns.
"""

import argparse
import contextlib
import time
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from int8_engines import retrieval

from keras_osnet.data import load_images
from keras_osnet.data.datasets.market1501 import read_folder
from keras_osnet.deploy.conversion import serve
from keras_osnet.deploy.int8 import quantization, quantize_int8
from keras_osnet.deploy.tflite import tflite_bytes
from keras_osnet.models.load_model import open_checkpoint

CALIBRATED = 10
COLUMNS = (
    "row", "kB", "rank-1", "mAP", "held rank-1", "held mAP", "cosine", "lowest", "ms 1", "ms 2",
    "made in s",
)  # fmt: skip


def converters_own(model, images):
    """Convert with TFLiteConverter's post-training quantization."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None].astype("float32")] for image in images)
    return converter.convert()


def nearest(kernel, steps, inputs):
    del inputs
    return np.clip(np.round(kernel / steps), -127, 127)


def without(part):
    """Leave a part of `quantize_int8` out."""
    if part == "equalization":
        return mock.patch.object(quantization, "equalize", return_value=None)
    if part == "rounding to the inputs":
        return mock.patch.object(quantization, "rounded", nearest)
    if part == "biases":
        return mock.patch.object(quantization, "lost_mean", return_value=0.0)
    return contextlib.nullcontext()


def ours(model, images, part=None):
    with without(part):
        return quantize_int8(model, images)


def rows(checkpoint, images, calibrated):
    """Yield (title, function that makes a file) of each row."""
    trained = checkpoint.build(head="embedding", include_preprocessing=True)[0]
    model = served(trained, "uint8")
    floats = served(trained, "float32")
    shots = images[calibrated]
    yield "float32", lambda: tflite_bytes(model, ("image", "embedding"))
    yield "converter's int8", lambda: converters_own(trained, shots)
    yield "converter's int8, folded", lambda: converters_own(floats, shots)
    yield "ours", lambda: ours(model, shots)
    for part in ("equalization", "rounding to the inputs", "biases"):
        yield f"ours without {part}", lambda part=part: ours(model, shots, part)
    for count in (8, 16, 32, 64):
        chosen = shots[np.linspace(0, len(shots) - 1, count).round().astype(int)]
        yield f"ours, {count} images", lambda chosen=chosen: ours(model, chosen)


def served(trained, dtype):
    return serve(trained, dtype=dtype, normalize=False, batch=1).model


def opened(content, threads):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=content, num_threads=threads)
    runner.allocate_tensors()
    return runner


def embedded(content, images):
    runner = opened(content, 2)
    (given,), (made,) = runner.get_input_details(), runner.get_output_details()
    vectors = []
    for image in images:
        runner.set_tensor(given["index"], image[None].astype(given["dtype"]))
        runner.invoke()
        vectors.append(runner.get_tensor(made["index"])[0].copy())
    return np.array(vectors)


def milliseconds(contents, image, rounds=40):
    """Return the median time of each file with 1 and 2 threads, all taking turns."""
    runners = [[opened(content, threads) for threads in (1, 2)] for content in contents]
    spent = np.empty((rounds, len(contents), 2))
    for turn in range(rounds):
        for row, pair in enumerate(runners):
            for column, runner in enumerate(pair):
                (given,) = runner.get_input_details()
                runner.set_tensor(given["index"], image[None].astype(given["dtype"]))
                for _ in range(3):  # the first after another's turn finds the cache cold
                    start = time.perf_counter()
                    runner.invoke()
                    spent[turn, row, column] = time.perf_counter() - start
    return 1000 * np.median(spent, axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("weights", help="a checkpoint of an OSNet")
    parser.add_argument("images", type=Path, help="a folder of images in Market-1501's naming")
    parser.add_argument("--rows", default="all", help="all, or part of the titles of some")
    arguments = parser.parse_args()
    keras.utils.disable_interactive_logging()
    people = sorted(read_folder(arguments.images), key=lambda person: person.path.name)
    checkpoint = open_checkpoint(arguments.weights)
    images = load_images([person.path for person in people], checkpoint.embedding_size).images
    ids = np.array([person.identity for person in people])
    cameras = np.array([person.camera for person in people])
    calibrated = np.isin(ids, np.unique(ids)[:CALIBRATED])

    table, contents, expected = [], [], None
    for title, make in rows(checkpoint, images, calibrated):
        if title != "float32" and arguments.rows != "all" and arguments.rows not in title:
            continue
        start = time.perf_counter()
        contents.append(make())
        seconds = time.perf_counter() - start
        vectors = embedded(contents[-1], images)
        expected = vectors if expected is None else expected
        norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(expected, axis=1)
        cosine = (vectors * expected).sum(axis=1) / norms
        table.append(
            [
                title,
                f"{len(contents[-1]) / 1000:.1f}",
                *(f"{each:.2f}" for each in retrieval(vectors, ids, cameras)),
                *(f"{each:.2f}" for each in retrieval(vectors, ids, cameras, ~calibrated)),
                f"{np.median(cosine):.4f}",
                f"{cosine.min():.4f}",
                "",
                "",
                f"{seconds:.0f}",
            ]
        )
        print(" | ".join(table[-1]), flush=True)
    for row, times in zip(table, milliseconds(contents, images[0]), strict=True):
        row[8:10] = [f"{value:.2f}" for value in times]
    print("\n" + "\n".join(" | ".join(row) for row in [COLUMNS, *table]))


if __name__ == "__main__":
    main()
