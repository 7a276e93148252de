"""A part of accelerator.py: works that are set up together and timed in turns."""

import functools
import math
import signal
import sys
import time
from concurrent.futures import Future

from accelerator_setup import (
    CLASSES,
    Jax,
    Torch,
    build,
    fenced,
    make_optimizer,
    random_images,
    random_labels,
    say,
    timed,
)


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
