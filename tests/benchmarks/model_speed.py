"""Speed of inference and training of the Keras models, beside torchreid in PyTorch.

    python tests/benchmarks/model_speed.py --torchreid deep-person-reid

Every contender runs in a separate process with the same number of threads. All take turns, round
after round; a ratio is the time of PyTorch in eager mode over the contender's in the same round,
and its median and quartiles are over the rounds. Inference (`infer`) is `model.predict` on an array
of 64 images or more, by this batch size, or on one of a single batch (`alone`), or as each title
says; a training step is `train_on_batch` with momentum SGD and the cross-entropy of 751
identities, as for torchreid's network. `stock` is the same network by Keras's own
operations, batch norm and `predict`. `first s` is from the start of a process until everything
that it does has run once: imports, building, tracing, compiling.
"""

import argparse
import functools
import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from reference_networks import reference_network
from turns import Contender, serve

CLASSES = 751
SIZE = (256, 128)
INFERENCE, TRAINING = (1, 32), (16,)
BATCHES = 4
"""Number of batches for `predict`, at least 64 images, so that its overhead weighs little."""

CONTENDERS = {
    "PyTorch eager": {"kind": "torch", "form": "eager"},
    "PyTorch channels-last": {"kind": "torch", "form": "channels_last"},
    "PyTorch compiled": {"kind": "torch", "form": "compiled"},
    "TensorFlow stock": {"kind": "keras", "backend": "tensorflow", "form": "stock"},
    "TensorFlow": {"kind": "keras", "backend": "tensorflow", "form": "predict"},
    "TensorFlow tf.function": {"kind": "keras", "backend": "tensorflow", "form": "function"},
    "JAX": {"kind": "keras", "backend": "jax", "form": "predict"},
    "torch": {"kind": "keras", "backend": "torch", "form": "predict"},
    "JAX before": {"kind": "keras", "backend": "jax", "form": "before"},
    "torch before": {"kind": "keras", "backend": "torch", "form": "before"},
    "TensorFlow jit_compile": {"kind": "keras", "backend": "tensorflow", "form": "jit"},
    "torch jit_compile": {"kind": "keras", "backend": "torch", "form": "jit"},
}
"""`compiled` is torch.compile of the network in channels-last layout; `before`, Keras's own
`predict_on_batch` and `predict`; `jit`, `model.compile(jit_compile=True)`."""


def random_images(count):
    return np.random.default_rng(0).standard_normal((count, *SIZE, 3)).astype("float32")


def identities(count):
    return np.random.default_rng(0).integers(0, CLASSES, count)


def reference(task):
    """Yield the works of torchreid's network, on normalized images in PyTorch's layout."""
    import torch

    torch.set_num_threads(task["threads"])
    name = f"osnet_x{task['width']}".replace(".", "_")
    network = reference_network(task["torchreid"], name, CLASSES)
    layout = torch.contiguous_format if task["form"] == "eager" else torch.channels_last
    network = network.to(memory_format=layout)
    run = torch.compile(network) if task["form"] == "compiled" else network
    optimizer = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9)

    def given(count):
        images = torch.from_numpy(random_images(count)).permute(0, 3, 1, 2)
        return images.contiguous(memory_format=layout)

    def infer(images):
        network.eval()
        with torch.inference_mode():
            run(images)

    def train(images, labels):
        network.train()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(run(images), labels).backward()
        optimizer.step()

    for batch in task["inference"]:
        if not task["alone"]:
            yield f"infer {batch}", functools.partial(infer, given(batch)), batch
        yield f"alone {batch}", functools.partial(infer, given(batch)), batch
    for batch in task["training"]:
        labels = torch.from_numpy(identities(batch))
        yield f"train {batch}", functools.partial(train, given(batch), labels), batch


def ours(task):
    """Yield the works of our network on the backend of this process."""
    import keras

    if task["form"] == "stock":
        compute_as_keras_does()
    limit_threads(task["threads"])
    from keras_osnet import OSNet

    if task["inference"]:
        model = OSNet(task["width"], head="embedding")
    else:
        model = OSNet(task["width"], classes=CLASSES, classifier_activation=None)
        model.compile(
            keras.optimizers.SGD(1e-3, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
    if task["form"] == "before":
        type(model).predict = keras.Model.predict
        type(model).predict_on_batch = keras.Model.predict_on_batch
    elif task["form"] == "jit":
        model.compile(jit_compile=True)
    if task["form"] == "function":
        import tensorflow as tf

        function = tf.function(functools.partial(model, training=False))
        for batch in task["inference"]:
            images = tf.constant(random_images(batch))
            yield f"infer {batch}", functools.partial(function, images), batch
        return
    for batch in task["inference"]:
        for work, count in (("infer", max(64, BATCHES * batch)), ("alone", batch)):
            if work == "infer" and task["alone"]:
                continue
            predict = functools.partial(model.predict, random_images(count), batch, verbose=0)
            yield f"{work} {batch}", predict, count
    for batch in task["training"]:
        step = functools.partial(model.train_on_batch, random_images(batch), identities(batch))
        yield f"train {batch}", step, batch


def compute_as_keras_does():
    """Replace the operations of `keras_osnet.layers` by Keras's own."""
    from keras import ops
    from keras.layers import BatchNormalization

    from keras_osnet.architecture import OSNetModel
    from keras_osnet.layers import BatchNorm, conv_norm, lite_conv

    def convolve(maps, kernel, bias=None, strides=1):
        margin = kernel.shape[0] // 2
        frame = [[0, 0], [margin, margin], [margin, margin], [0, 0]]
        maps = ops.pad(maps, frame) if margin else maps
        return ops.conv(maps, kernel, strides, "valid", "channels_last")

    def convolve_depthwise(maps, kernel, bias=None):
        return ops.depthwise_conv(maps, kernel, 1, "same", "channels_last")

    del OSNetModel.predict
    BatchNorm.folds = lambda self, training: False
    BatchNorm.call = BatchNormalization.call
    for module in (conv_norm, lite_conv):
        module.convolve = convolve
    lite_conv.convolve_depthwise = convolve_depthwise


def limit_threads(threads):
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
    elif keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(threads)


def works(task):
    found = {}
    for name, run, count in (reference if task["kind"] == "torch" else ours)(task):
        run()
        found[f"{name} {count}"] = run
    return found


def measure(width, titles, works_wanted, arguments):
    """Let contenders take turns, and return them."""
    with ExitStack() as stack:
        contenders = []
        for title in titles:
            task = CONTENDERS[title]
            if task["form"] == "function" and not works_wanted["inference"]:
                continue
            contenders.append(
                stack.enter_context(
                    Contender(
                        __file__,
                        title,
                        {"KERAS_BACKEND": task.get("backend", "torch")},
                        width=width,
                        threads=arguments.threads,
                        torchreid=str(arguments.torchreid.absolute()),
                        alone=arguments.alone,
                        **task,
                        **works_wanted,
                    )
                )
            )
        for _ in range(arguments.rounds):
            for contender in contenders:
                contender.turn()
        return contenders


def figures(width, contenders):
    """Yield the figures of every contender and work."""
    for contender in contenders:
        for name in contender.rounds[0]:
            work, batch, count = name.split()
            own = np.array([turn[name] for turn in contender.rounds]) / int(count)
            first = np.array([turn[f"{work} {batch} {batch}"] for turn in contenders[0].rounds])
            yield {
                "network": f"x{width}",
                "contender": contender.title,
                "work": work,
                "batch": int(batch),
                "ms": 1e3 * float(np.median(own)),
                "fastest_ms": 1e3 * float(own.min()),
                "ratio": np.percentile(first / int(batch) / own, (25, 50, 75)).tolist(),
                "start": contender.start,
                "memory": contender.memory,
            }


def print_table(found):
    print(f"{'':46}{'ms/image':>10}{'fastest':>9}{'ratio':>7}  (quartiles)  first s    MB")
    for each in found:
        low, middle, high = each["ratio"]
        print(
            f"{each['network']:6}{each['work']} {each['batch']:<4}{each['contender']:30}"
            f"{each['ms']:10.2f}{each['fastest_ms']:9.2f}{middle:7.2f}"
            f"  ({low:.2f}–{high:.2f}){each['start']:9.1f}{each['memory']:6.0f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torchreid", type=Path, help="torchreid's source tree")
    parser.add_argument("--widths", type=float, nargs="+", default=[1.0, 0.25])
    parser.add_argument("--inference", type=int, nargs="*", default=INFERENCE, metavar="BATCH")
    parser.add_argument("--training", type=int, nargs="*", default=TRAINING, metavar="BATCH")
    parser.add_argument("--alone", action="store_true", help="time arrays of a single batch only")
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        serve(json.loads(arguments.work), works)
        return
    if arguments.torchreid is None:
        parser.error("--torchreid is needed")
    titles = list(dict.fromkeys(["PyTorch eager", *arguments.contenders]))
    found = []
    for width in arguments.widths:
        # Not at once, for the sake of memory.
        wanted = [{"inference": arguments.inference, "training": []}]
        wanted += [{"inference": [], "training": [batch]} for batch in arguments.training]
        for each in wanted:
            if each["inference"] or each["training"]:
                group = list(figures(width, measure(width, titles, each, arguments)))
                print_table(group)
                found += group
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
