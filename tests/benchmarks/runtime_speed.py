"""Speed of exported files beside torchreid in PyTorch's eager mode.

    python tests/benchmarks/runtime_speed.py --torchreid deep-person-reid \
        --weights osnet_x1_0.pth.tar osnet_x0_25.pth --calibration images

Every contender runs in a separate process with the same number of threads. All take turns, round
after round; a ratio is taken within a round, and its median and quartiles are over the rounds.
`Embedder` turns pixels into vectors of length 1, all of its work included; `bare` is the engine
alone on the same file; PyTorch gets normalized images. `start` is from the start of a
process to its first result, `MB` the most memory that the process held; the last rows are Python
processes that only import TensorFlow or PyTorch.
"""

import argparse
import functools
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from reference_networks import reference_network
from turns import Contender, serve

BATCHES = (1, 32)


def torch_eager(task):
    """Return torchreid's network in eager mode, and normalized images."""
    import torch

    torch.set_num_threads(task["threads"])
    model = reference_network(task["torchreid"], task["architecture"], classes=10).eval()

    def run(images):
        with torch.inference_mode():
            return model(images)

    images = torch.randn(max(BATCHES), 3, 256, 128, generator=torch.Generator().manual_seed(0))
    return run, images


def embedder(task):
    """Return our runtime, from pixels to vectors of length 1, and pixels."""
    from keras_osnet.runtime import Embedder

    made = Embedder(task["file"], task["engine"], task["precision"], threads=task["threads"])
    return made.embed, pixels()


def bare(task):
    """Return an engine on a file, without the embedder around it, and pixels."""
    from keras_osnet.runtime.engines import open_engine
    from keras_osnet.runtime.read_metadata import read_model_file

    model = read_model_file(task["file"])
    engine = open_engine(
        model, task["engine"], precision=task["precision"], threads=task["threads"]
    )
    return engine.run, pixels()


def importing(task):
    """Only import a framework."""
    __import__(task["module"])
    return None, None


CONTENDERS = {each.__name__: each for each in (torch_eager, embedder, bare, importing)}


def pixels():
    return np.random.default_rng(0).integers(0, 256, (max(BATCHES), 256, 128, 3), np.uint8)


def works(task):
    """Return the functions to time in a contender's process, by their number of images."""
    run, images = CONTENDERS[task["kind"]](task)
    if run is None:
        return {}
    run(images[:1])
    return {str(batch): functools.partial(run, images[:batch]) for batch in BATCHES}


def exported(checkpoint, calibration, folder):
    """Write a model's files; return (title, file, engine, precision) of each run."""
    from keras_osnet.deploy import export
    from keras_osnet.models import load_model
    from keras_osnet.runtime.engines import computes_bfloat16

    model = load_model(checkpoint, head="embedding")
    name = model.name
    export(model, folder / f"{name}.tflite", batch=None)
    export(model, folder / f"{name}.onnx")
    export(model, folder / f"{name}.xml")
    for suffix in (".tflite", ".xml"):
        export(model, folder / f"{name}-int8{suffix}", quantization="int8", calibration=calibration)
    found = [
        ("LiteRT", f"{name}.tflite", "litert", "float32"),
        ("onnxruntime", f"{name}.onnx", "onnxruntime", "float32"),
        ("OpenVINO", f"{name}.xml", "openvino", "float32"),
        ("LiteRT int8", f"{name}-int8.tflite", "litert", "float32"),
        ("OpenVINO int8", f"{name}-int8.xml", "openvino", "float32"),
    ]
    if computes_bfloat16():
        found.append(("OpenVINO bf16", f"{name}.xml", "openvino", "bfloat16"))
    return [(title, str(folder / file), *rest) for title, file, *rest in found]


def compare(architecture, files, arguments):
    """Let PyTorch and all engines take turns."""
    common = {"threads": arguments.threads}
    with ExitStack() as stack:

        def start(title, **task):
            return stack.enter_context(Contender(__file__, title, **common, **task))

        contenders = [
            start(
                "PyTorch eager",
                kind="torch_eager",
                architecture=architecture,
                torchreid=str(arguments.torchreid.absolute()),
            )
        ]
        for title, file, engine, precision in files:
            given = {"file": file, "engine": engine, "precision": precision}
            contenders.append(start(f"{title}, bare", kind="bare", **given))
            contenders.append(start(f"{title}, Embedder", kind="embedder", **given))
        for _ in range(arguments.rounds):
            for contender in contenders:
                contender.turn()
        return contenders


def rows(architecture, contenders):
    first = seconds(contenders[0])
    for contender in contenders:
        own = seconds(contender)
        ratios = np.percentile(first / own, (25, 50, 75), axis=0)
        yield {
            "network": architecture,
            "title": contender.title,
            "start": contender.start,
            "memory": contender.memory,
            "batches": {
                batch: {
                    "ms": 1e3 * float(np.median(own[:, column])) / batch,
                    "fastest_ms": 1e3 * float(own[:, column].min()) / batch,
                    "ratio": ratios[:, column].tolist(),
                }
                for column, batch in enumerate(BATCHES)
            },
        }


def seconds(contender):
    return np.array([[turn[str(batch)] for batch in BATCHES] for turn in contender.rounds])


def print_table(found):
    print(f"\n{'':42}" + "".join(f"{f'batch {batch}':>39}" for batch in BATCHES))
    columns = f"{'ms/image':>10}{'fastest':>9}{'ratio':>7}{'(quartiles)':>13}"
    print(f"{'':42}{columns}{columns}  start s    MB")
    for row in found:
        cells = ""
        for each in row.get("batches", {}).values():
            low, middle, high = each["ratio"]
            cells += f"{each['ms']:10.2f}{each['fastest_ms']:9.2f}{middle:7.2f}"
            cells += f"{f'({low:.2f}–{high:.2f})':>13}"
        print(
            f"{row['network']:16}{row['title']:26}{cells:78}"
            f"{row['start']:9.2f}{row['memory']:6.0f}",
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torchreid", type=Path, help="torchreid's source tree")
    parser.add_argument("--weights", nargs="+", help="checkpoints of its networks")
    parser.add_argument("--calibration", help="a folder of images for int8")
    parser.add_argument("--files", type=Path, help="a folder to keep the exported files in")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        serve(json.loads(arguments.work), works)
        return
    for name in ("torchreid", "weights", "calibration"):
        if getattr(arguments, name) is None:
            parser.error(f"--{name} is needed")
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.files or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for weights in arguments.weights:
            files = made_before(folder, weights)
            if files is None:
                files = exported(weights, arguments.calibration, folder)
                record(folder, weights).write_text(json.dumps(files))
            architecture = Path(files[0][1]).stem
            found += rows(architecture, compare(architecture, files, arguments))
    for module in ("tensorflow", "torch"):
        with Contender(__file__, f"import {module}", kind="importing", module=module) as contender:
            found.append(
                {
                    "network": "",
                    "title": contender.title,
                    "start": contender.start,
                    "memory": contender.memory,
                }
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))
    print_table(found)


def record(folder, weights):
    return folder / f"{Path(weights).name}.json"


def made_before(folder, weights):
    file = record(folder, weights)
    return json.loads(file.read_text()) if file.exists() else None


if __name__ == "__main__":
    main()
