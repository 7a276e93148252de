"""A part of accelerator.py: training with the largest batch that fits."""

import math
import statistics
import sys
import time

from accelerator_setup import (
    Jax,
    Torch,
    build,
    make_optimizer,
    random_images,
    random_labels,
    say,
)
from accelerator_speed import reference_works


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
