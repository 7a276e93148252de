"""A part of accelerator.py: training on CIFAR-10."""

import sys
import time
from pathlib import Path

import numpy as np
from accelerator_setup import Jax, say, training_policy


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
