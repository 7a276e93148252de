"""The backends and networks of accelerator.py's parts, and how these report."""

import contextlib
import functools
import json
import math
import statistics
import time
import traceback
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np

CLASSES = 751


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
