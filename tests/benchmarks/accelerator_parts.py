"""The parts of accelerator.py, each in its own process: what is set up, and what is timed."""

import contextlib
import functools
import json
import math
import signal
import statistics
import sys
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np

CLASSES = 751


def run(task):
    """Run the part that a task names."""
    parts = {"parity": parity, "speed": speed, "largest": largest, "cifar": cifar}
    parts[task["part"]](task)


def say(**record):
    """Report to the parent process."""
    print(json.dumps(record), flush=True)


@contextlib.contextmanager
def fenced(**record):
    """Report an exception and go on."""
    try:
        yield
    except Exception:
        lines = traceback.format_exc().strip().splitlines()
        # Compilers explain errors in long texts; the message is at their beginning.
        message = [line for line in lines if line[:1].strip()][1:] or lines
        say(**record, error="\n".join([*lines[-3:-1], *message])[:700])


def random_images(count, size):
    return np.random.default_rng(0).standard_normal((count, *size, 3)).astype("float32")


def random_labels(count):
    return np.random.default_rng(0).integers(0, CLASSES, count)


def timed(call, wait, seconds, in_groups):
    """Return the median seconds of a call.

    Args:
        call: Starts work on the device, and returns its result.
        wait: Waits for a result.
        seconds: For the calls that are timed.
        in_groups: Whether several calls are started before they are waited for.
    """
    wait(call())
    start = time.perf_counter()
    wait(call())
    group = 1
    if in_groups:
        group = max(1, min(20, math.ceil(seconds / 4 / (time.perf_counter() - start))))
    times = []
    while len(times) < 3 or sum(times) * group < seconds:
        start = time.perf_counter()
        for _ in range(group):
            result = call()
        wait(result)
        times.append((time.perf_counter() - start) / group)
    return statistics.median(times)


# --- Backends


class Torch:
    """What the parts need of torch."""

    def __init__(self):
        import torch

        self.torch = torch
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.backends.cudnn.benchmark = True
        self.allow_tf32(True)

    def allow_tf32(self, allow):
        self.torch.backends.cuda.matmul.allow_tf32 = allow
        self.torch.backends.cudnn.allow_tf32 = allow

    def put(self, array):
        return self.torch.from_numpy(array).to(self.device)

    def wait(self, result=None):
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def free(self):
        if self.device == "cuda":
            self.torch.cuda.empty_cache()

    def inference(self, model):
        """Return the model as a function of images."""

        def infer(images):
            with self.torch.inference_mode():
                return model(images, training=False)

        return infer

    def compiled(self, model, images):
        """Return the model exported for these images and compiled."""
        torch = self.torch

        class Inference(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self, images):
                return self.model(images, training=False)

        with torch.no_grad():
            exported = torch.export.export(Inference().eval(), (images,), strict=False).module()
            function = torch.compile(exported, dynamic=False)
            function(images)

        def infer(images):
            with torch.no_grad():
                return function(images)

        return infer

    def training_step(self, model, optimizer, images, labels):
        """Return a training step as a function without arguments, for Keras's models."""
        torch = self.torch
        variables = model.trainable_variables
        optimizer.build(variables)

        def step():
            for variable in variables:
                variable.value.grad = None
            logits = model(images, training=True)
            loss = torch.nn.functional.cross_entropy(logits, labels)
            loss.backward()
            with torch.no_grad():
                optimizer.apply([variable.value.grad for variable in variables], variables)
            return loss

        return step


class Jax:
    """What the parts need of JAX."""

    def __init__(self):
        import jax

        self.jax = jax
        self.put = jax.device_put
        self.wait = jax.block_until_ready
        self.pool, self.tuners = ThreadPoolExecutor(6), ThreadPoolExecutor(2)
        self.untuned, self.longest = [], 20

    def free(self):
        """Drop what is still to be compiled."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.tuners.shutdown(wait=False, cancel_futures=True)

    def values(self, variables):
        """Return copies: a step, as `predict`, overwrites the values that it gets."""
        return [self.jax.numpy.array(variable.value, copy=True) for variable in variables]

    def lower_inference(self, model, images):
        """Return the traced function and its arguments."""

        def infer(trained, others, images):
            return model.stateless_call(trained, others, images, training=False)[0]

        arguments = (
            self.values(model.trainable_variables),
            self.values(model.non_trainable_variables),
            images,
        )
        return self.jax.jit(infer).lower(*arguments), arguments

    def compiling(self, program, finish, given):
        """Start a compilation without tuning, and return what waits for it."""
        self.untuned.append(self.pool.submit(program.compile))
        return functools.partial(finish, self.untuned[-1], given)

    def tuning(self, program, finish, given, until):
        """Start a compilation with tuning, after the others, and return what waits for it."""

        def tune():
            wait(self.untuned)
            began = time.time()
            # One that goes on while others are timed would disturb them.
            if began + 1.5 * self.longest > until:
                raise TimeoutError("no time is left for tuning")
            compiled = program.compile(compiler_options={"xla_gpu_autotune_level": 4})
            self.longest = max(self.longest, time.time() - began)
            return compiled

        return functools.partial(finish, self.tuners.submit(tune), given)

    def training_state(self, model, optimizer):
        """Return copies of all values that a training step changes."""
        variables = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
        return tuple(self.values(each) for each in variables)

    def training_function(self, model, optimizer):
        """Return a function (state, images, labels) -> (state, loss), and the state."""
        jax = self.jax
        optimizer.build(model.trainable_variables)

        def loss(trained, others, images, labels):
            logits, others = model.stateless_call(trained, others, images, training=True)
            log_probabilities = jax.nn.log_softmax(logits.astype("float32"))
            chosen = jax.numpy.take_along_axis(log_probabilities, labels[:, None], 1)
            return -chosen.mean(), others

        def step(state, images, labels):
            trained, others, slots = state
            (value, others), gradients = jax.value_and_grad(loss, has_aux=True)(
                trained, others, images, labels
            )
            trained, slots = optimizer.stateless_apply(slots, gradients, trained)
            return (trained, others, slots), value

        return step, self.training_state(model, optimizer)

    def lower_training(self, model, optimizer, images, labels):
        """Return the traced training step and its state."""
        step, state = self.training_function(model, optimizer)
        return self.jax.jit(step, donate_argnums=0).lower(state, images, labels), state


def backend(name):
    return Torch() if name == "torch" else Jax()


def training_policy(precision):
    return "mixed_bfloat16" if precision == "bfloat16" else precision


def build(task, training, fused=False):
    """Build our network, for training or inference, with separate or fused streams."""
    from fused_streams import fused_osnet

    from keras_osnet import OSNet

    function = fused_osnet if fused else OSNet
    size = {"input_shape": (*task["sizes"]["image_size"], 3), **task["sizes"]["network"]}
    if training:
        policy = training_policy(task["precision"])
        return function(
            task["width"], classes=CLASSES, classifier_activation=None, dtype=policy, **size
        )
    return function(task["width"], head="embedding", dtype=task["precision"], **size)


def make_optimizer():
    from keras_osnet.optimizers import CoupledSGD

    return CoupledSGD(1e-3, momentum=0.9, l2=0)


# --- Parity


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


# --- Speed


def speed(task):
    """Set up the works of a contender, and time all of them in every turn."""
    start = time.time()
    if task["contender"] == "PyTorch":
        prepared, device = reference_works(task)
    elif task["backend"] == "torch":
        prepared, device = torch_works(task)
    else:
        prepared, device = jax_works(task)
    works = []
    signal.signal(signal.SIGALRM, out_of_time)
    signal.setitimer(signal.ITIMER_REAL, max(1, task["until"] - time.time()))
    for name, make in prepared:
        record = dict(zip(("form", "work", "batch"), name, strict=True))
        # What compiles in a thread may be finished by now.
        compiles = isinstance(make.args[0], Future)
        if time.time() > task["until"] and not compiles:
            say(**record, left_out="no time for setting it up")
            continue
        with fenced(**record):
            began = time.time()
            call = make()
            device.wait(call())
            works.append((record, call))
            if time.time() - began > 10:
                say(**record, setup_seconds=round(time.time() - began, 1))
    signal.setitimer(signal.ITIMER_REAL, 0)
    device.free()
    say(setup_seconds=round(time.time() - start, 1))
    say(ready=True)
    for _ in sys.stdin:
        for record, call in works:
            with fenced(**record):
                latency = record["batch"] == 1
                seconds = timed(call, device.wait, task["sizes"]["turn"], not latency)
                runs = 1
                if record["work"] == "predict":
                    runs = predicted_batches(task, record["batch"])
                say(**record, ms=1000 * seconds / runs)
        device.free()
        say(ready=True)


def out_of_time(signal_number, frame):
    raise TimeoutError("no time is left for setting this up")


def predicted_batches(task, batch):
    """Batches in the array that `predict` gets: at least 4."""
    return max(4, math.ceil(task["sizes"]["predicted"] / batch))


def predict_work(task, model, batch):
    array = random_images(predicted_batches(task, batch) * batch, task["sizes"]["image_size"])
    return functools.partial(model.predict, array, batch, verbose=0)


def reference_works(task):
    """Return names and makers of works of torchreid's network."""
    from reference_networks import reference_network

    device = Torch()
    torch, sizes = device.torch, task["sizes"]
    name = f"osnet_x{task['width']}".replace(".", "_")
    is_mixed = task["precision"] == "bfloat16"

    @functools.cache
    def network(layout, training):
        made = reference_network(task["torchreid"], name, CLASSES)
        dtype = torch.bfloat16 if is_mixed and not training else torch.float32
        made = made.to(device.device, dtype, memory_format=layout)
        return made.train() if training else made.eval()

    def images(batch, layout, dtype):
        array = device.put(random_images(batch, sizes["image_size"]))
        return array.permute(0, 3, 1, 2).contiguous(memory_format=layout).to(dtype)

    def infer(layout, compiler, batch):
        run = compiler(network(layout, False))
        given = images(batch, layout, torch.bfloat16 if is_mixed else torch.float32)

        def call():
            with torch.inference_mode():
                return run(given)

        return call

    def train(layout, compiler, batch):
        trained = network(layout, True)
        run = compiler(trained)
        optimizer = torch.optim.SGD(trained.parameters(), 1e-3, momentum=0.9)
        given, labels = images(batch, layout, torch.float32), device.put(random_labels(batch))

        def call():
            optimizer.zero_grad()
            with torch.autocast(device.device, torch.bfloat16, enabled=is_mixed):
                loss = torch.nn.functional.cross_entropy(run(given), labels)
            loss.backward()
            optimizer.step()
            return loss

        return call

    forms = {
        "eager": (torch.contiguous_format, lambda network: network),
        "channels-last": (torch.channels_last, lambda network: network),
    }
    if sizes["compile"]:
        compiler = functools.partial(torch.compile, dynamic=False)
        graphs = functools.partial(torch.compile, dynamic=False, mode="reduce-overhead")
        forms["compiled"] = (torch.channels_last, compiler)
        forms["CUDA graphs"] = (torch.channels_last, graphs)
    works = []
    for form, (layout, compiler) in forms.items():
        batches = sizes["inference"][:1] if form == "CUDA graphs" else sizes["inference"]
        for batch in reversed(batches):
            make = functools.partial(infer, layout, compiler, batch)
            works.append(((form, "infer", batch), make))
        if form != "CUDA graphs":
            make = functools.partial(train, layout, compiler, sizes["training"])
            works.append(((form, "train", sizes["training"]), make))
    return works, device


def torch_works(task):
    """Return names and makers of works of our network on torch."""
    device = Torch()
    sizes = task["sizes"]

    @functools.cache
    def model(training, fused):
        return build(task, training, fused)

    def infer(batch, fused):
        images = device.put(random_images(batch, sizes["image_size"]))
        return functools.partial(device.inference(model(False, fused)), images)

    def train(batch, fused):
        images = device.put(random_images(batch, sizes["image_size"]))
        labels = device.put(random_labels(batch))
        return device.training_step(model(True, fused), make_optimizer(), images, labels)

    def compiled(batch):
        images = device.put(random_images(batch, sizes["image_size"]))
        return functools.partial(device.compiled(model(False, False), images), images)

    def predict(batch):
        return predict_work(task, model(False, False), batch)

    works = []
    for form, fused in (("eager", False), ("fused", True)):
        works += [
            ((form, "infer", batch), functools.partial(infer, batch, fused))
            for batch in sizes["inference"]
        ]
        make = functools.partial(train, sizes["training"], fused)
        works.append(((form, "train", sizes["training"]), make))
    for form, function in (("eager", predict), ("compiled", compiled)):
        if form == "eager" or sizes["compile"]:
            work = "predict" if form == "eager" else "infer"
            works += [
                ((form, work, batch), functools.partial(function, batch))
                for batch in reversed(sizes["inference"])
            ]
    return works, device


def jax_works(task):
    """Return names and makers of works of our network on JAX; all compile side by side.

    XLA compiles all of them without tuning first, then those of large batches with it, as is its
    default: trying algorithms out takes minutes.
    """
    device = Jax()
    sizes = task["sizes"]
    works = []

    def finish_inference(future, arguments):
        compiled = future.result(timeout=max(0.1, task["until"] - time.time()))
        return functools.partial(compiled, *arguments())

    def finish_training(future, make_state, images, labels):
        compiled = future.result(timeout=max(0.1, task["until"] - time.time()))
        state = make_state()

        def call():
            nonlocal state
            state, loss = compiled(state, images, labels)
            return loss

        return call

    models, traced = {}, []
    for form, fused in (("jit", False), ("fused", True)):
        with fenced(form=form, work="train", batch=sizes["training"]):
            images = device.put(random_images(sizes["training"], sizes["image_size"]))
            labels = device.put(random_labels(sizes["training"]))
            model, optimizer = build(task, True, fused), make_optimizer()
            lowered, _ = device.lower_training(model, optimizer, images, labels)
            # A step overwrites the state: each program gets its own.
            state = functools.partial(device.training_state, model, optimizer)
            finish = functools.partial(finish_training, images=images, labels=labels)
            traced.append(((form, "train", sizes["training"]), lowered, finish, state))
            works.append((traced[-1][0], device.compiling(*traced[-1][1:])))
        with fenced(form=form, work="infer"):
            models[form] = build(task, False, fused)
            for batch in reversed(sizes["inference"]):
                images = device.put(random_images(batch, sizes["image_size"]))
                lowered, arguments = device.lower_inference(models[form], images)
                given = functools.partial(tuple, arguments)
                traced.append(((form, "infer", batch), lowered, finish_inference, given))
                works.append((traced[-1][0], device.compiling(*traced[-1][1:])))
    for batch in sizes["inference"]:
        # These compile in their first call.
        make = functools.partial(predict_work, task, models.get("jit"), batch)
        works.append((("jit", "predict", batch), make))
    traced = [each for each in traced if each[0][2] > 1]
    for (form, *rest), *program in sorted(traced, key=lambda each: each[0][1], reverse=True):
        make = device.tuning(*program, task["until"])
        works.append(((f"{form}, tuned", *rest), make))
    return works, device


# --- The largest batch


def largest(task):
    """Train with growing batches until memory is used up."""
    is_jax = task["backend"] == "jax"
    if is_jax:
        device = Jax()
        batch, compiled, state = jax_largest(task, device)
    else:
        device = Torch()
    if task["contender"] == "torch":
        model, optimizer = build(task, True), make_optimizer()
    say(ready=True)
    sys.stdin.readline()
    if is_jax:
        while batch >= task["sizes"]["training"]:
            try:
                images = device.jax.numpy.zeros((batch, *task["sizes"]["image_size"], 3)) + 0.5
                labels = device.jax.numpy.zeros(batch, "int32")

                def call():
                    nonlocal state
                    state, loss = compiled(state, images, labels)  # noqa: B023
                    return loss

                report_batch(device, batch, call)
                return
            except Exception as error:
                if not out_of_memory(error):
                    raise
                say(batch=batch, out_of_memory=True)
                batch //= 2
                batch, compiled, state = jax_largest(task, device, batch)
        return
    batch, most = 2 * task["sizes"]["training"], task["sizes"]["largest"]
    while batch <= most:
        try:
            if task["contender"] == "PyTorch":
                wanted = {**task["sizes"], "training": batch, "compile": False}
                works = dict(reference_works({**task, "sizes": wanted})[0])
                call = works["channels-last", "train", batch]()
            else:
                images = device.put(random_images(batch, task["sizes"]["image_size"]))
                labels = device.put(random_labels(batch))
                call = device.training_step(model, optimizer, images, labels)
            report_batch(device, batch, call)
        except Exception as error:
            if not out_of_memory(error):
                raise
            say(batch=batch, out_of_memory=True)
            return
        del call
        device.free()
        batch *= 2


def out_of_memory(error):
    text = f"{type(error).__name__} {error}".lower()
    return "out of memory" in text or "resource_exhausted" in text or "outofmemory" in text


def report_batch(device, batch, call):
    """Report images per second of a training step."""
    device.wait(call())
    times = []
    for _ in range(3):
        start = time.perf_counter()
        device.wait(call())
        times.append(time.perf_counter() - start)
    say(batch=batch, ms=1000 * statistics.median(times),
        images_per_s=batch / statistics.median(times))  # fmt: skip


def jax_largest(task, device, batch=None):
    """Compile the training step for the largest batch whose memory fits by XLA's own analysis.

    Returns:
        The batch, the compiled step and the state.
    """
    jax, sizes = device.jax, task["sizes"]
    model, optimizer = build(task, True), make_optimizer()
    step, state = device.training_function(model, optimizer)
    function = jax.jit(step, donate_argnums=0)

    def compile_for(count):
        images = jax.ShapeDtypeStruct((count, *sizes["image_size"], 3), "float32")
        labels = jax.ShapeDtypeStruct((count,), "int32")
        return function.lower(state, images, labels).compile()

    if batch is None:
        memory = compile_for(sizes["training"]).memory_analysis()
        one = memory.temp_size_in_bytes / sizes["training"] + 12 * math.prod(sizes["image_size"])
        limit = (jax.devices()[0].memory_stats() or {"bytes_limit": 1 << 28})["bytes_limit"]
        batch = 2 ** int(math.log2(0.85 * limit / one))
        batch = min(sizes["largest"], batch)
        say(predicted_batch=batch, mib_per_image=one / 2**20, limit_gib=limit / 2**30)
    return batch, compile_for(batch), state


# --- CIFAR-10


def cifar(task):
    """Train on CIFAR-10 by the recipe, in the epochs that fit."""
    began = time.time()
    import keras

    from keras_osnet import OSNet
    from keras_osnet.data import read_dataset
    from keras_osnet.training import load_recipe

    device = Jax()
    jax, jnp = device.jax, device.jax.numpy
    sizes = task["sizes"]
    batch, steps = sizes["cifar_batch"], sizes["cifar_steps"]
    keras.utils.set_random_seed(0)
    if task["data"]:
        dataset = read_dataset("cifar10", Path(task["data"]))
        arrays = [
            np.stack([np.asarray(each) for each in dataset.train.images]), dataset.train.labels,
            np.stack([np.asarray(each) for each in dataset.test.images]), dataset.test.labels,
        ]  # fmt: skip
    else:
        say(left_out="no --cifar: random images, whose error means nothing")
        rng = np.random.default_rng(0)
        arrays = [
            array
            for count in (4 * batch, 2 * batch)
            for array in (
                rng.integers(0, 256, (count, 32, 32, 3), "uint8"),
                rng.integers(0, 10, count),
            )
        ]
    train_images, train_labels, test_images, test_labels = (
        device.put(np.asarray(each, "uint8" if each.ndim > 1 else "int32")) for each in arrays
    )
    say(loaded_seconds=round(time.time() - began, 1), images=len(train_labels))

    # The benchmark's 2-2-2 network whatever the dry run's sizes.
    model = OSNet(
        task["width"], classes=10, classifier_activation=None, stem="cifar",
        input_shape=(32, 32, 3), dtype=training_policy(task["precision"]),
        **sizes["network"],
    )  # fmt: skip
    recipe = load_recipe("cifar")
    optimizer = recipe.make_optimizer()
    step, state = device.training_function(model, optimizer)
    rate_index = [each is optimizer._learning_rate for each in optimizer.variables].index(True)
    padded = jnp.pad(train_images, ((0, 0), (4, 4), (4, 4), (0, 0)), "reflect")

    def normalized(images):
        from keras_osnet._utils.constants import MEAN, STD

        return (images.astype("float32") / 255 - jnp.array(MEAN)) / jnp.array(STD)

    def augmented(key, chosen):
        """Pad by reflection, crop, and flip, as the recipe does."""
        places = jax.random.randint(key, (len(chosen), 2), 0, 9)
        flips = jax.random.bernoulli(jax.random.fold_in(key, 1), 0.5, (len(chosen), 1, 1, 1))

        def crop(index, place):
            window = (1, 32, 32, 3)
            return jax.lax.dynamic_slice(padded, (index, place[0], place[1], 0), window)[0]

        images = jax.vmap(crop)(chosen, places)
        return jnp.where(flips, images[:, :, ::-1], images)

    def several_steps(state, chosen, key, rate):
        trained, others, slots = state
        slots = [rate if index == rate_index else each for index, each in enumerate(slots)]

        def one(state, given):
            indices, key = given
            return step(state, normalized(augmented(key, indices)), train_labels[indices])

        keys = jax.random.split(key, len(chosen))
        return jax.lax.scan(one, (trained, others, slots), (chosen, keys))

    def count_errors(state, images, labels):
        logits = model.stateless_call(state[0], state[1], normalized(images), training=False)[0]
        return (logits.argmax(-1) != labels).sum()

    test_batch = 1000 if len(test_labels) % 1000 == 0 else batch
    rng = np.random.default_rng(0)
    key = jax.random.key(0)
    chosen = np.zeros((steps, batch), "int32")
    run_steps = jax.jit(several_steps, donate_argnums=0)
    run_steps = run_steps.lower(state, chosen, key, np.float32(0)).compile()
    errors_of = jax.jit(count_errors)
    errors_of = errors_of.lower(state, test_images[:test_batch], test_labels[:test_batch]).compile()
    say(compiled_seconds=round(time.time() - began, 1))
    say(ready=True)
    sys.stdin.readline()

    def test():
        parts = [
            errors_of(state, test_images[at : at + test_batch], test_labels[at : at + test_batch])
            for at in range(0, len(test_labels), test_batch)
        ]
        return sum(int(each) for each in parts) / len(test_labels)

    per_epoch = len(train_labels) // batch // steps

    def epoch(number, rate):
        nonlocal state
        order = rng.permutation(len(train_labels))[: per_epoch * steps * batch].astype("int32")
        losses = []
        for index, chosen in enumerate(order.reshape(per_epoch, steps, batch)):
            given = jax.random.fold_in(key, number * per_epoch + index)
            state, values = run_steps(state, chosen, given, np.float32(rate))
            losses.append(values)
        return float(np.mean([np.asarray(each) for each in losses]))

    epochs, number, per_epoch_seconds = None, 0, None
    curve = []
    while epochs is None or number < epochs:
        schedule = recipe if epochs is None else recipe.with_epochs(epochs)
        rate = schedule.learning_rate(number)
        start = time.time()
        loss = epoch(number, rate)
        seconds = time.time() - start
        error = test()
        number += 1
        curve.append(error)
        if number == 1:
            say(epoch=1, loss=loss, error_rate=error, seconds=seconds)
        elif number == 2:
            per_epoch_seconds = time.time() - start
            left = task["end"] - time.time()
            epochs = max(
                number, min(sizes["cifar_epochs"], number + int(0.9 * left / per_epoch_seconds))
            )
            rate_of = per_epoch * steps * batch / seconds
            say(epochs=epochs, epoch_seconds=per_epoch_seconds, images_per_s=rate_of)
        if epochs and (number % max(1, epochs // 12) == 0 or number == epochs):
            say(epoch=number, loss=loss, error_rate=error, rate=rate)
        if time.time() > task["end"]:
            say(left_out=f"stopped after {number} of {epochs} epochs")
            break
    say(finished=number, test_error=curve[-1], lowest=min(curve), curve=curve,
        backend="jax", images_per_epoch=per_epoch * steps * batch)  # fmt: skip
