"""Speed of embedding JPEG files, beside the engine and the decoder alone.

    python tests/benchmarks/files.py --files osnet_x0_25-int8.tflite osnet_x1_0-float32.tflite
    python tests/benchmarks/files.py --keras 0.25 1.0

Images of synthetic people are written as JPEG files of 128 x 64 and 512 x 256. `embedded` are those
of `Embedder.embed_files`, or with `--keras` of `keras_osnet.evaluation.embed_images` with a
model on Keras's backend, which `keras-osnet evaluate` calls; `bare` is the engine, or the model,
alone on pixels in memory; `decoded` is reading and resizing alone, on all processors. Both need the
same processors: `possible` is the rate at which they would be done one after the other, each on all
of them. Every model has a process of its own, and all of them take turns, round after round; the
shares are taken within a round, with their quartiles.
"""

import argparse
import functools
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import turns
from turns import Contender, serve

COUNT = 96
SIZES = ((128, 64), (512, 256))
SIZE = (256, 128)


def write_images(folder):
    from PIL import Image

    from keras_osnet.synthetic import synthetic_people

    for size in SIZES:
        here = folder / f"{size[0]}x{size[1]}"
        here.mkdir()
        people = synthetic_people(COUNT // 4, cameras=2, views=2, image_size=size).images
        for index, image in enumerate(people):
            Image.fromarray(image).save(here / f"{index:04}.jpg", quality=90)


def works(task):
    """Return the functions to time in the process of a model."""
    from keras_osnet.data.load_images import load_images

    turns.SECONDS, turns.FEWEST = task["seconds"], 1
    embed, bare = by_keras(task) if task["width"] else by_engine(task)
    found = {}
    for folder in sorted(Path(task["folder"]).iterdir()):
        files = sorted(folder.iterdir())
        pixels = load_images(files, SIZE).images
        found[f"embedded {folder.name}"] = functools.partial(embed, files)
        found[f"bare {folder.name}"] = functools.partial(bare, pixels)
        found[f"decoded {folder.name}"] = functools.partial(load_images, files, SIZE)
    return found


def by_engine(task):
    from keras_osnet.runtime import Embedder
    from keras_osnet.runtime.engines import open_engine
    from keras_osnet.runtime.read_metadata import read_model_file

    engine = open_engine(read_model_file(Path(task["file"])), threads=task["threads"])
    return Embedder(task["file"], threads=task["threads"]).embed_files, engine.run


def by_keras(task):
    from keras_osnet import OSNet
    from keras_osnet.evaluation import embed_images

    model = OSNet(task["width"], head="embedding", include_preprocessing=True)

    def bare(pixels, batch=32):
        return [
            np.asarray(model.predict_on_batch(pixels[start : start + batch]))
            for start in range(0, len(pixels), batch)
        ]

    return functools.partial(embed_images, model), bare


def shares(ratios):
    return np.percentile(ratios, (25, 50, 75)).tolist()


def rows(contender):
    for size in SIZES:
        name = f"{size[0]}x{size[1]}"
        seconds = {
            work: np.array([turn[f"{work} {name}"] for turn in contender.rounds])
            for work in ("embedded", "bare", "decoded")
        }
        yield {
            "title": contender.title,
            "images": name,
            **{work: COUNT / float(np.median(each)) for work, each in seconds.items()},
            "possible": COUNT / float(np.median(seconds["bare"] + seconds["decoded"])),
            "share": shares(seconds["bare"] / seconds["embedded"]),
            "share_of_possible": shares(
                (seconds["bare"] + seconds["decoded"]) / seconds["embedded"]
            ),
        }


def print_table(found):
    works = ("embedded", "bare", "decoded", "possible")
    columns = "".join(f"{work:>10}" for work in works)
    print(f"{'images per second':44}{columns}{'share of bare':>20}{'of possible':>20}")
    for row in found:
        rates = "".join(f"{row[work]:10.0f}" for work in works)
        ratios = ""
        for low, middle, high in (row["share"], row["share_of_possible"]):
            ratios += f"{f'{100 * middle:.0f}% ({100 * low:.0f}–{100 * high:.0f})':>20}"
        print(f"{row['title']:32}{row['images']:12}{rates}{ratios}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", nargs="+", default=[], help="exported files of 256 x 128")
    parser.add_argument("--keras", nargs="+", type=float, default=[], help="widths of Keras models")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.15, help="of each work in a turn")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        serve(json.loads(arguments.work), works)
        return
    if not arguments.files and not arguments.keras:
        parser.error("--files or --keras is needed")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        write_images(Path(folder))
        common = {"folder": folder, "threads": arguments.threads, "seconds": arguments.seconds}
        tasks = [(Path(file).name, {"file": file, "width": None}) for file in arguments.files]
        tasks += [(f"Keras, x{width}", {"width": width}) for width in arguments.keras]
        contenders = [
            stack.enter_context(Contender(__file__, title, **common, **task))
            for title, task in tasks
        ]
        for _ in range(arguments.rounds):
            for contender in contenders:
                contender.turn()
        found = [row for contender in contenders for row in rows(contender)]
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))
    print_table(found)


if __name__ == "__main__":
    main()
