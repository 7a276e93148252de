"""A part of accelerator.py: the golden networks on this device."""

import sys
import time
from pathlib import Path

import numpy as np
from accelerator_setup import backend, fenced, say


def parity(task):
    """Compare the golden networks on this device with torchreid's results."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import keras
    from golden import NAMES, Golden

    from keras_osnet import OSNet
    from keras_osnet.weights import load_torchreid

    device = backend(task["backend"])
    first = ["osnet_x1_0", "osnet_x0_25", "osnet_ain_x1_0", "osnet_ibn_x1_0"]
    names = first + [name for name in NAMES if name not in first]
    precisions = {
        "float32": "float32",
        "TF32": "float32",
        "mixed_bfloat16": "mixed_bfloat16",
        "bfloat16": "bfloat16",
    }
    if task["sizes"]["network"]:
        names, precisions = ["osnet_x0_25"], {"float32": "float32"}
    for precision, policy in precisions.items():
        for name in names:
            golden = Golden(name)
            height, width = golden.input_shape[2:]
            parts = name.removeprefix("osnet_").rpartition("x")
            if time.time() > task["until"]:
                say(network=name, precision=precision, left_out="no time is left")
                return
            with fenced(network=name, precision=precision):
                model = OSNet(
                    float(parts[2].replace("_", ".")),
                    variant=parts[0].strip("_") or "base",
                    classes=10,
                    classifier_activation=None,
                    outputs=["embedding", "logits"],
                    input_shape=(height, width, 3),
                    dtype=policy,
                )
                load_torchreid(model, golden.state_dict())
                images = device.put(golden.images)
                if task["backend"] == "torch":
                    device.allow_tf32(precision != "float32")
                    results = device.inference(model)(images)
                else:
                    exact = "highest" if precision == "float32" else "tensorfloat32"
                    with device.jax.default_matmul_precision(exact):
                        lowered, arguments = device.lower_inference(model, images)
                    results = lowered.compile()(*arguments)
                if isinstance(results, dict):
                    results = [results["embedding"], results["logits"]]
                embeddings, logits = (
                    keras.ops.convert_to_numpy(each).astype("float32") for each in results
                )
                say(
                    network=name,
                    precision=precision,
                    embeddings=difference(embeddings, golden.embeddings),
                    logits=difference(logits, golden.logits),
                    cosine=float(cosines(embeddings, golden.embeddings).min()),
                )


def difference(values, expected):
    return float(np.abs(values - expected).max() / np.abs(expected).max())


def cosines(first, second):
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(1) / lengths
