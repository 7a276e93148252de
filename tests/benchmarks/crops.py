"""Speed of `Embedder.embed_crops` on the frames of a camera, beside the bare engine.

    python tests/benchmarks/crops.py --files osnet_x0_25-int8.tflite osnet_x1_0-float32.xml
    python tests/benchmarks/crops.py --resize --model osnet_x0_25.tflite --images pku_reid

Boxes of people are cut out of a frame of 1280 x 720, BGR, resized and embedded. `stream` are frames
whose number of boxes changes from each to the next; `bare` is the engine alone on the same crops,
resized before; `one by one` has a call for each box. Every file has a process of its own for each
number of threads, and all of them take turns, round after round; a ratio is taken within a round.
With `--bfloat16`, `.xml` files are also computed in bfloat16.

`--resize` times the resizing of one crop alone: Pillow's, which `Embedder` uses, the same filter as
two matrix products in NumPy, and OpenCV's if it is installed; `largest` is the largest difference
to Pillow's, of 255. With a model and a folder of images, it also prints the cosines of embeddings
to those with Pillow's resizing, of the images and of larger ones, which are enlarged with noise.
"""

import argparse
import functools
import importlib.util
import json
import statistics
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import turns
from turns import Contender, serve, timed

BOXES = (5, 10, 30)
STREAM = (7, 12, 5, 18, 9, 30, 14, 10)
SIZE = (256, 128)
CROPS = ((40, 100), (80, 200), (160, 400))
Q = (25, 50, 75)


def scene():
    """Return a frame, BGR, and 30 boxes of people at several distances."""
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (720, 1280, 3), np.uint8)
    heights = rng.uniform(100, 400, max(BOXES))
    widths = heights * rng.uniform(0.35, 0.45, max(BOXES))
    left, top = rng.uniform(0, 1280 - widths), rng.uniform(0, 720 - heights)
    return frame, np.stack([left, top, left + widths, top + heights], axis=1)


def works(task):
    """Return the functions to time in the process of a file."""
    from keras_osnet.runtime import Embedder
    from keras_osnet.runtime.boxes import cut_out
    from keras_osnet.runtime.engines import open_engine
    from keras_osnet.runtime.images import as_pixels
    from keras_osnet.runtime.read_metadata import read_model_file

    turns.SECONDS, turns.FEWEST = task["seconds"], 1
    settings = {"threads": task["threads"], "precision": task["precision"]}
    embedder = Embedder(task["file"], **settings)
    engine = open_engine(read_model_file(Path(task["file"])), **settings)
    frame, boxes = scene()
    pixels, _ = as_pixels(cut_out(frame, boxes, bgr=True)[0], SIZE)
    given = embedder.metadata.to_input(pixels)

    def embed(count):
        return embedder.embed_crops(frame, boxes[:count], bgr=True)

    def one_by_one(count):
        return [embedder.embed_crops(frame, boxes[i : i + 1], bgr=True) for i in range(count)]

    def stream():
        return [embed(count) for count in STREAM]

    found = {f"{count}": functools.partial(embed, count) for count in BOXES}
    found |= {f"bare {count}": functools.partial(engine.run, given[:count]) for count in BOXES}
    return {**found, "one by one": functools.partial(one_by_one, 10), "stream": stream}


def tasks(arguments):
    """Yield the title of each contender and its arguments."""
    for file in arguments.files:
        both = arguments.bfloat16 and file.endswith(".xml")
        for precision in ("float32", "bfloat16") if both else ("float32",):
            name = Path(file).name + (" in bfloat16" if precision == "bfloat16" else "")
            for threads in arguments.threads:
                title = f"{name}, {threads} thread{'s' * (threads > 1)}"
                yield title, {"file": file, "threads": threads, "precision": precision}


def measured(arguments):
    """Let all files take turns; return the seconds of each work in each round, by title."""
    with ExitStack() as stack:
        contenders = [
            stack.enter_context(Contender(__file__, title, seconds=arguments.seconds, **task))
            for title, task in tasks(arguments)
        ]
        for _ in range(arguments.rounds):
            for contender in contenders:
                contender.turn()
        return {each.title: each.rounds for each in contenders}


def row(rounds):
    """Return the figures of one file: medians, and the quartiles of those that are compared."""
    ms = {name: 1e3 * statistics.median(turn[name] for turn in rounds) for name in rounds[0]}
    rates = [sum(STREAM) / turn["stream"] for turn in rounds]
    ratios = {
        count: np.percentile([turn[f"{count}"] / turn[f"bare {count}"] for turn in rounds], Q)
        for count in BOXES
    }
    return {
        "ms": ms,
        "crops_per_second": np.percentile(rates, Q).tolist(),
        "ratio_to_bare": {count: each.tolist() for count, each in ratios.items()},
    }


def print_table(found):
    counts = "".join(f"{f'{count} boxes':>10}" for count in BOXES)
    print(
        f"{'ms per frame':48}{counts}{'1 by 1, 10':>12}{'stream, crops/s':>22}{'to bare, 10':>19}"
    )
    for title, each in found.items():
        low, middle, high = each["crops_per_second"]
        rate = f"{middle:.0f} ({low:.0f}–{high:.0f})"
        low, middle, high = each["ratio_to_bare"][10]
        ratio = f"{middle:.2f} ({low:.2f}–{high:.2f})"
        frames = "".join(f"{each['ms'][str(count)]:10.1f}" for count in BOXES)
        print(f"{title:48}{frames}{each['ms']['one by one']:12.1f}{rate:>22}{ratio:>19}")


def filter_of(size, wanted):
    """Return Pillow's bilinear filter with antialiasing as a matrix (wanted, size)."""
    scale = size / wanted
    centers = (np.arange(wanted)[:, None] + 0.5) * scale
    weights = np.maximum(0, 1 - np.abs(np.arange(size) + 0.5 - centers) / max(scale, 1))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def by_products(crop):
    """Resize by two matrix products, with Pillow's rounding after each."""
    (height, width), (rows, columns) = crop.shape[:2], SIZE
    wide = np.rint(filter_of(width, columns) @ crop.astype(np.float32))
    tall = np.rint(filter_of(height, rows) @ wide.reshape(height, -1))
    return tall.reshape(rows, columns, 3).astype(np.uint8)


def resizers():
    from keras_osnet.data.images import resize_image

    found = {"Pillow": functools.partial(resize_image, image_size=SIZE), "NumPy": by_products}
    if importlib.util.find_spec("cv2"):
        import cv2

        cv2.setNumThreads(1)
        for name in ("INTER_LINEAR", "INTER_AREA"):
            found[f"OpenCV, {name}"] = functools.partial(
                cv2.resize, dsize=SIZE[::-1], interpolation=getattr(cv2, name)
            )
    return found


def compare_resizers(rounds):
    """Print the milliseconds of each resizer for one crop, taking turns, and its difference."""
    frame, _ = scene()
    print(f"{'crop':12}{'resized by':24}{'ms (quartiles)':>22}{'largest':>9}{'differ':>8}")
    for width, height in CROPS:
        # Smooth as an image is, not noise.
        smooth = np.add.outer(np.arange(height), np.arange(width))[..., None] * (1, 2, 3) // 4 % 200
        crop = (smooth + frame[:height, :width] // 5).astype(np.uint8)
        times = {name: [] for name in resizers()}
        for _ in range(rounds):
            for name, resize in resizers().items():
                times[name].append(1e3 * timed(resize, crop))
        expected = resizers()["Pillow"](crop).astype(int)
        for name, resize in resizers().items():
            low, middle, high = np.percentile(times[name], Q)
            off = np.abs(resize(crop) - expected)
            print(
                f"{f'{width}x{height}':12}{name:24}{f'{middle:.3f} ({low:.3f}–{high:.3f})':>22}"
                f"{off.max():9}{100 * (off > 0).mean():7.1f}%"
            )


def enlarged(images, height, width):
    """Return images at another size with the noise of a sensor, a tenth of them."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for image in images[::10]:
        large = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
        noise = rng.normal(0, 10, (height, width, 3))
        yield np.clip(np.rint(np.asarray(large) + noise), 0, 255).astype(np.uint8)


def compare_embeddings(model, folder):
    """Print the cosines of embeddings to those of images that Pillow resizes."""
    from keras_osnet.data import read_image
    from keras_osnet.runtime import Embedder

    embedder = Embedder(model)
    images = [read_image(file) for file in sorted(folder.glob("*.png"))]
    sets = {"as they are": images}
    sets |= {f"{w}x{h}, noise": list(enlarged(images, h, w)) for w, h in ((192, 512), (384, 1024))}
    print(f"\n{'images':16}{'resized by':24}{'median cosine':>14}{'lowest':>9}")
    for title, crops in sets.items():
        vectors = {
            name: embedder.embed(np.stack([resize(crop) for crop in crops]))
            for name, resize in resizers().items()
        }
        for name, own in vectors.items():
            cosines = np.einsum("ij,ij->i", own, vectors["Pillow"])
            print(f"{title:16}{name:24}{np.median(cosines):14.5f}{cosines.min():9.5f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", nargs="+", help="exported files of images of 256 x 128")
    parser.add_argument("--resize", action="store_true", help="compare ways to resize a crop")
    parser.add_argument("--model", help="an exported file, for the effect of resizing")
    parser.add_argument("--images", type=Path, help="a folder of PNG images, likewise")
    parser.add_argument("--bfloat16", action="store_true", help="also compute .xml in bfloat16")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.15, help="of each work in a turn")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        serve(json.loads(arguments.work), works)
        return
    if not arguments.files and not arguments.resize:
        parser.error("--files or --resize is needed")
    if arguments.resize:
        turns.SECONDS = arguments.seconds
        compare_resizers(arguments.rounds)
        if arguments.model and arguments.images:
            compare_embeddings(arguments.model, arguments.images)
    if arguments.files:
        found = {title: row(rounds) for title, rounds in measured(arguments).items()}
        if arguments.json:
            arguments.json.write_text(json.dumps(found, indent=1))
        print_table(found)


if __name__ == "__main__":
    main()
