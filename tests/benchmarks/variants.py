"""Size and speed of the exported files of every width: the README's table.

    python tests/benchmarks/variants.py

Weights are arbitrary, no two of a layer alike, so that nothing is stored once for several; int8 is
calibrated on eight images of synthetic people. All files take turns in LiteRT, a process each; see
`keras_osnet.runtime.benchmark`. Times are of one image of 256×128, with the Embedder's own
work; sizes in kB of 1,000 bytes.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from keras_osnet import OSNet
from keras_osnet.deploy import export
from keras_osnet.runtime import benchmark
from keras_osnet.synthetic import synthetic_people

WIDTHS = (1.0, 0.75, 0.5, 0.25)
QUANTIZATIONS = (None, "float16", "int8")


def network(width):
    model = OSNet(width, head="embedding")
    rng = np.random.default_rng(0)
    for variable in model.variables:
        if variable.dtype == "float32":
            scale = 0.01 if len(variable.shape) > 1 else 1.0
            variable.assign(scale * rng.uniform(0.5, 1.5, variable.shape).astype("float32"))
    return model


def exported(width, folder):
    """Return the files of a width by (width, quantization); those that are there are kept."""
    files = {(width, each): folder / f"{width}-{each}.tflite" for each in QUANTIZATIONS}
    if all(file.exists() for file in files.values()):
        return files
    images = synthetic_people(32, cameras=2, views=1).images
    model = network(width)
    for (_, quantization), file in files.items():
        calibration = {"calibration": images[2:10]} if quantization == "int8" else {}
        export(model, file, quantization=quantization, images=images[:2], **calibration)
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--widths", type=float, nargs="+", default=WIDTHS)
    parser.add_argument("--files", type=Path, help="a folder to keep the exported files in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.files or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        files = {}
        for width in arguments.widths:
            files |= exported(width, folder)
        speeds = benchmark(list(files.values()), threads=arguments.threads, rounds=arguments.rounds)
        print(f"{'width':>6}{'':>10}{'kB':>9}{'ms (quartiles)':>24}{'images/s at 32':>18}")
        for (width, quantization), speed in zip(files, speeds, strict=True):
            latency = speed.latency
            times = f"{latency.median:.2f} ({latency.low:.2f}–{latency.high:.2f})"
            print(
                f"{width:>6}{quantization or 'float32':>10}"
                f"{speed.file.stat().st_size / 1000:>9.0f}{times:>24}"
                f"{speed.throughput.median:>18.0f}"
            )


if __name__ == "__main__":
    main()
