"""Sizes of all files that `export` writes of a network, with and without metadata.

    python tests/benchmarks/file_sizes.py --weights synthetic --width 0.25

`as converted` is the converter's file; `with metadata` is the file of `export`.
"""

import argparse
import tempfile
from pathlib import Path

import keras_osnet
from keras_osnet.architecture.configuration import RE_ID_SIZE
from keras_osnet.deploy.conversion import convert, serve
from keras_osnet.deploy.formats import FORMATS
from keras_osnet.runtime.read_metadata import files_of
from keras_osnet.synthetic import synthetic_people


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="synthetic", help="a tag or a file")
    parser.add_argument("--width", type=float, default=0.25)
    arguments = parser.parse_args()
    model = keras_osnet.OSNet(
        arguments.width,
        weights=arguments.weights,
        head="embedding",
        input_shape=(*RE_ID_SIZE, 3),
    )
    calibration = synthetic_people(64, views=1).images
    print("| file | weights | bytes as converted | bytes with metadata |")
    print("| --- | --- | --- | --- |")
    for suffix, kind in FORMATS.items():
        for quantization in kind.quantizations:
            served = serve(model, batch=kind.batch, quantization=quantization)
            images = served.metadata.to_input(calibration) if quantization == "int8" else None
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, f"model{suffix}")
                convert(served, file, images)
                before = total(file)
                kind.describe(file, served.metadata, served.names)
                named = " + ".join(
                    f"`{Path(name).suffix}`" for name in files_of(file) if name[-5:] != ".json"
                )
                print(
                    f"| {named} | {quantization or 'float32'} | {before:,} | {total(file):,} |",
                    flush=True,
                )


def total(file):
    """Return the size of a model, with the weights beside it."""
    return sum(each.stat().st_size for each in file.parent.iterdir())


if __name__ == "__main__":
    main()
