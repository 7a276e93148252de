"""Train a small OSNet on synthetic people from random weights; offline, a few minutes.

This script draws people into the folder `first_run`, trains `OSNet(width=0.25)` on some of them
with `model.fit`, and runs `keras-osnet evaluate` on others before and after the training: given an
image of a person from one camera, which person under the other camera is it?

    python examples/first_run.py
"""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # silence TensorFlow's start-up messages

import keras
import numpy as np

import keras_osnet
from keras_osnet.data import load_images
from keras_osnet.synthetic import write_synthetic_people

SIZE = (128, 64)
BATCH = 32


def main() -> None:
    """Draw people, train, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("first_run"), help="output folder")
    parser.add_argument("--people", type=int, default=100, help="number of training people")
    parser.add_argument("--others", type=int, default=40, help="number of test people")
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    folder, people = arguments.folder, arguments.people
    keras.utils.set_random_seed(0)

    print(f"Drawing {people} people to train on and {arguments.others} others into {folder}/")
    training = write_synthetic_people(folder / "training", range(people), image_size=SIZE)
    others = range(people, people + arguments.others)
    write_synthetic_people(folder / "others", others, image_size=SIZE)
    images = load_images([person.path for person in training], SIZE).images
    identities = np.array([person.identity - 1 for person in training])

    model = keras_osnet.OSNet(
        width=0.25,
        classes=people,
        input_shape=(*SIZE, 3),
        include_preprocessing=True,
    )
    model.save(folder / "untrained.keras")

    print(f"\nTraining {model.name} on {len(images)} images")
    steps = arguments.epochs * -(-len(images) // BATCH)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.003, steps)),
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy"],
    )
    targets = keras.utils.to_categorical(identities, people)
    model.fit(images, targets, batch_size=BATCH, epochs=arguments.epochs)
    model.save(folder / "trained.keras")

    # The command next to this interpreter; its environment need not be activated.
    script = str(Path(sys.executable).with_name("keras-osnet"))
    if Path(script).is_relative_to(Path.cwd()):
        script = str(Path(script).relative_to(Path.cwd()))
    for name in ("untrained", "trained"):
        command = [script, "evaluate", "--data", str(folder / "others")]
        command += ["--weights", str(folder / f"{name}.keras")]
        print(f"\n$ {shlex.join(command)}", flush=True)
        subprocess.run(command, check=True)

    print(
        f"\nBoth models and all images are in {folder}/. For your own images, named as in "
        "Market-1501, use published weights:\n"
        f"$ {script} evaluate --data FOLDER --weights msmt17_combineall --width 0.25"
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; run the same command again to continue with the existing images.")
    except FileExistsError as error:
        sys.exit(f"{error}\nUse another --folder, or delete this one.")
