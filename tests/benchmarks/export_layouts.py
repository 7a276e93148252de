"""Time of an exported omni-scale block's layouts: separate streams, or streams side by side.

    python tests/benchmarks/export_layouts.py --widths 0.25 1.0 --batches 1 32

The k-th layers of all streams that are still running have inputs of one shape, so they can be one
operation on concatenated channels: 4 steps in place of 10 in a block of 4 streams. `dense` does the
1×1 convolutions of a step as one whose kernel is zero between the streams; `sliced` does them one
by one and only the depthwise convolutions as one. (A grouped convolution would fit best, but
XNNPACK has none, and the conversion of Keras's to ONNX fails.) All layouts of a model are run in
turn, and the ratio is taken turn by turn; weights are random. Times are those of the engines of
`keras_osnet.runtime`, in float32.
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

import keras_osnet
from keras_osnet.deploy import conversion, fold, folded_layers
from keras_osnet.deploy.conversion import serve
from keras_osnet.runtime.engines import open_engine, usable_cpus
from keras_osnet.runtime.read_metadata import read_model_file

FORMATS = {".tflite": "LiteRT", ".onnx": "onnxruntime", ".xml": "OpenVINO"}
LAYOUTS = ("separate", "sliced", "dense")
SIZE = (256, 128)


def side_by_side(streams, reduced, name, layout):
    """Compute the k-th layers of all streams of a block together; return one map per stream."""
    width = reduced.shape[-1]
    running = sorted(range(len(streams)), key=lambda index: len(streams[index]))
    maps, done = reduced, {}
    for step in range(max(len(stream) for stream in streams)):
        layers = [streams[index][step] for index in running]
        kernels = [folded_layers.array(layer.pointwise.kernel) for layer in layers]
        affine = [folded_layers.scale_and_shift(layer.norm) for layer in layers]
        here = f"{name}_step{step + 1}"
        if step == 0:
            kernels = [np.concatenate(kernels, axis=-1)]
        elif layout == "dense":
            kernels = [block_diagonal(kernels)]
        inputs = keras.ops.split(maps, len(kernels), axis=-1) if len(kernels) > 1 else [maps]
        pointwise = [
            folded_layers.convolution(
                each, kernel, None, name=f"{here}_pointwise{number}", dtype="float32"
            )
            for number, (each, kernel) in enumerate(zip(inputs, kernels, strict=True))
        ]
        depthwise = np.concatenate(
            [folded_layers.array(layer.depthwise.kernel) for layer in layers], 2
        )
        maps = folded_layers.depthwise(
            keras.ops.concatenate(pointwise, axis=-1) if len(pointwise) > 1 else pointwise[0],
            np.concatenate(depthwise, 2) * np.concatenate([scale for scale, _ in affine])[:, None],
            np.concatenate([shift for _, shift in affine]),
            name=f"{here}_depthwise",
            dtype="float32",
            activation="relu",
        )
        while running and len(streams[running[0]]) == step + 1:
            done[running.pop(0)] = maps[..., :width]
            if running:
                maps = maps[..., width:]
    return [done[index] for index in range(len(streams))]


def block_diagonal(kernels):
    """Return one 1×1 kernel for the kernels of several streams, zero between the streams."""
    width = kernels[0].shape[-1]
    kernel = np.zeros((1, 1, width * len(kernels), width * len(kernels)))
    for index, each in enumerate(kernels):
        place = slice(index * width, (index + 1) * width)
        kernel[:, :, place, place] = each
    return kernel


def block(layout):
    """Replace `folded_layers.omni_scale_block`, for blocks with the unified gate."""

    def written(layer, maps, name, *, return_gates=False):
        reduced = folded_layers.conv_norm(layer.reduce, maps, f"{name}_reduce")
        streams = side_by_side(layer.streams, reduced, name, layout)
        fused = folded_layers.aggregation_gate(layer.gate, streams, f"{name}_gate")
        outputs = folded_layers.conv_norm(layer.expand, fused, f"{name}_expand")
        if layer.shortcut is not None:
            maps = folded_layers.conv_norm(layer.shortcut, maps, f"{name}_shortcut")
        return keras.layers.ReLU(name=name)(keras.layers.Add()([outputs, maps]))

    return written


def served(model, layout):
    original = fold.omni_scale_block
    if layout != "separate":
        fold.omni_scale_block = block(layout)
    try:
        return serve(model, dtype="float32", normalize=False)
    finally:
        fold.omni_scale_block = original


def engines(model, folder, threads):
    """Open each layout in each engine."""
    opened = {}
    for layout in LAYOUTS:
        network = served(model, layout).model
        for suffix in FORMATS:
            file = Path(folder, f"{model.name}_{layout}{suffix}")
            conversion.write(network, "embedding", file)
            written = read_model_file(file)
            opened[suffix, layout] = open_engine(
                written, "auto", precision="float32", threads=threads
            )
    return opened


def measure(opened, batch, seconds):
    """Return the times of every engine and layout, taken in turn."""
    images = np.random.default_rng(0).uniform(0, 255, (batch, *SIZE, 3)).astype("float32")
    results = {key: engine.run(images) for key, engine in opened.items()}
    expected = results[".tflite", "separate"]
    for key, result in results.items():
        difference = np.abs(result - expected).max() / np.abs(expected).max()
        if difference > 1e-4:
            raise SystemExit(f"{key} differs by {difference}")
    times = {key: [] for key in opened}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[".xml", "dense"]) < 5:
        for key, engine in opened.items():
            start = time.perf_counter()
            engine.run(images)
            times[key].append(time.perf_counter() - start)
    return {key: np.array(each) for key, each in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--widths", type=float, nargs="+", default=[0.25, 1.0])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--seconds", type=float, default=30, help="a width and batch")
    parser.add_argument("--threads", type=int, default=usable_cpus())
    arguments = parser.parse_args()
    for width in arguments.widths:
        model = keras_osnet.OSNet(width, head="embedding")
        with tempfile.TemporaryDirectory() as folder:
            opened = engines(model, folder, arguments.threads)
            for batch in arguments.batches:
                times = measure(opened, batch, arguments.seconds)
                for suffix, engine in FORMATS.items():
                    base = times[suffix, "separate"]
                    middle, fastest = 1000 * np.median(base), 1000 * base.min()
                    facts = [f"separate {middle:.2f} ms (fastest {fastest:.2f})"]
                    for layout in LAYOUTS[1:]:
                        own = times[suffix, layout]
                        low, middle, high = np.percentile(own / base, [25, 50, 75])
                        facts.append(
                            f"{layout} {middle:.2f} × ({low:.2f}–{high:.2f}; fastest "
                            f"{own.min() / base.min():.2f} ×)"
                        )
                    print(
                        f"x{width} batch {batch} {engine}: {', '.join(facts)}, {len(base)} turns",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
