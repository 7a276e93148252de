"""Accuracy of torchreid in the trainings of `fine_tuning.py`.

Its network, loss, optimizer, schedule, freezing and erasing are imported from torchreid's source
tree, which is not part of this repository; halves, pixels, recipes, ranking and table are those of
`fine_tuning.py`:

    python tests/benchmarks/fine_tuning_reference.py --torchreid deep-person-reid \
        --data pku_reid --weights osnet_x0_25_msmt17.pth --output runs --recipes fine_tune

Metrics go into `RECIPE_reference-HALF-SEED.json`. A training that was interrupted continues from
its last checkpoint; order and augmentation are functions of seed and epoch.
"""

import os
import random
import sys
import types
from functools import partial
from pathlib import Path

# Keras is used for the recipes only, so TensorFlow need not be imported. (Not where this file is
# imported, as pytest does to look for doctests: the environment is shared.)
if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
from fine_tuning import (
    METRICS,
    RECIPES,
    measure_missing,
    new_parser,
    print_table,
    split_in_halves,
)

from keras_osnet._utils.files import atomic_path
from keras_osnet.data import load_images
from keras_osnet.data.records import camera_labels, identity_labels
from keras_osnet.metrics import evaluate_features

SIZE = (256, 128)
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CHECKPOINT_EVERY = 5
NAMES = [
    name
    for name, (recipe, _) in RECIPES.items()
    if recipe.optimizer["name"] == "amsgrad"
    and isinstance(recipe.batch_size, int)
    and not recipe.validation_fraction
    and "neck" not in recipe.model
    and set(recipe.loss) <= {"label_smoothing"}
]
"""Recipes that this script supports: AMSGrad, softmax alone, no people held out, no neck."""


def import_reference(tree):
    """Import the required parts of torchreid without running its `__init__` files.

    These import compiled code, download clients and all of torchvision, which the erasing does
    not need.
    """
    root = tree / "torchreid"
    if not root.is_dir():
        raise SystemExit(f"--torchreid must be torchreid's source tree. Received: {tree}")
    for part in ("", ".models", ".data", ".utils"):
        package = types.ModuleType(f"torchreid{part}")
        package.__path__ = [str(root / part[1:])]
        sys.modules[package.__name__] = package
    transforms = types.ModuleType("torchvision.transforms")
    transforms.__getattr__ = lambda name: None  # any name can be imported, none used
    sys.modules.setdefault("torchvision", types.ModuleType("torchvision"))
    sys.modules["torchvision.transforms"] = transforms

    from torchreid.data.transforms import RandomErasing
    from torchreid.losses.cross_entropy_loss import CrossEntropyLoss
    from torchreid.models.osnet import osnet_x0_25
    from torchreid.optim import build_lr_scheduler, build_optimizer
    from torchreid.utils import torchtools

    return types.SimpleNamespace(
        RandomErasing=RandomErasing,
        CrossEntropyLoss=CrossEntropyLoss,
        osnet_x0_25=osnet_x0_25,
        build_optimizer=build_optimizer,
        build_lr_scheduler=build_lr_scheduler,
        tools=torchtools,
    )


def pixels_of(people):
    """Return normalized images of people, tensor (people, 3, height, width)."""
    loaded = load_images([one.path for one in people], SIZE)
    assert not loaded.unreadable, loaded.unreadable
    pixels = torch.from_numpy(loaded.images).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (pixels - mean) / std


def figures(network, dataset):
    """Return percentages, as `fine_tuning.figures` does."""
    network.eval()
    with torch.inference_mode():
        query, gallery = (
            torch.cat(
                [
                    network(batch.contiguous(memory_format=torch.channels_last))
                    for batch in pixels_of(people).split(64)
                ]
            ).numpy()
            for people in (dataset.query, dataset.gallery)
        )
    found = {}
    for metric in METRICS:
        ranking = evaluate_features(
            query,
            gallery,
            identity_labels(dataset.query),
            identity_labels(dataset.gallery),
            camera_labels(dataset.query),
            camera_labels(dataset.gallery),
            metric=metric,
        )
        found[metric] = [100 * ranking.rank(1), 100 * ranking.mean_average_precision]
    return found


class Training:
    """One run: network, optimizer, schedule and progress."""

    def __init__(self, reference, recipe, weights, dataset, seed):
        torch.manual_seed(seed)
        self.reference, self.recipe, self.seed, self.epoch = reference, recipe, seed, 0
        classes = len(dataset.train_identities)
        self.network = reference.osnet_x0_25(num_classes=classes, pretrained=False)
        if weights is not None:
            reference.tools.load_pretrained_weights(self.network, str(weights))
        self.network = self.network.to(memory_format=torch.channels_last)
        given, schedule = recipe.optimizer, recipe.schedule
        self.optimizer = reference.build_optimizer(
            self.network,
            optim=given["name"],
            lr=given["learning_rate"],
            weight_decay=given["l2"],
            adam_beta1=given["beta_1"],
            adam_beta2=given["beta_2"],
        )
        steps = schedule["name"] == "multi_step"
        self.schedule = reference.build_lr_scheduler(
            self.optimizer,
            lr_scheduler="multi_step" if steps else schedule["name"],
            stepsize=schedule.get("milestones"),
            gamma=schedule.get("factor"),
            max_epoch=recipe.epochs,
        )
        self.loss = reference.CrossEntropyLoss(
            classes, eps=recipe.loss["label_smoothing"], use_gpu=False
        )
        # torchreid erases with the mean after it has normalized.
        self.erase = reference.RandomErasing(mean=MEAN)

    def save(self, file):
        state = {"epoch": self.epoch}
        for part in ("network", "optimizer", "schedule"):
            state[part] = getattr(self, part).state_dict()
        with atomic_path(file) as temporary:
            torch.save(state, temporary)

    def restore(self, file):
        state = torch.load(file, weights_only=False)
        self.epoch = state["epoch"]
        for part in ("network", "optimizer", "schedule"):
            getattr(self, part).load_state_dict(state[part])

    def run_epoch(self, images, labels):
        """Train for one epoch, as torchreid's engine does; return the mean loss."""
        if self.epoch < self.recipe.fixbase_epochs:
            self.network.train()
            self.reference.tools.open_specified_layers(self.network, "classifier")
        else:
            self.reference.tools.open_all_layers(self.network)
        chance = np.random.default_rng([self.seed, self.epoch])
        random.seed(int(chance.integers(2**63)))  # the generator of torchreid's erasing
        order = chance.permutation(len(images))
        size = self.recipe.batch_size
        losses = []
        for start in range(0, len(order) - size + 1, size):
            chosen = order[start : start + size]
            batch = torch.stack([self.augment(images[number]) for number in chosen])
            outputs = self.network(batch.contiguous(memory_format=torch.channels_last))
            loss = self.loss(outputs, labels[chosen])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        self.schedule.step()
        self.epoch += 1
        return float(np.mean(losses))

    def augment(self, image):
        flipped = random.random() < 0.5
        return self.erase(image.flip(2) if flipped else image.clone())


def measure(name, half, seed, arguments, people, reference):
    recipe, pretrained = RECIPES[name]
    dataset = split_in_halves(people, half)
    weights = arguments.weights if pretrained else None
    training = Training(reference, recipe, weights, dataset, seed)
    result = {"recipe": f"{name}_reference", "half": half, "seed": seed}
    result["before"] = figures(training.network, dataset)
    print(f"{name}, half {half}, seed {seed}, before: {result['before']}", flush=True)
    folder = arguments.output / f"{name}_reference" / f"half-{half}-seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.pth"
    if checkpoint.exists():
        training.restore(checkpoint)
    images, labels = pixels_of(dataset.train), torch.from_numpy(dataset.train_labels)
    while training.epoch < recipe.epochs:
        loss = training.run_epoch(images, labels)
        print(f"Epoch {training.epoch}/{recipe.epochs} - loss: {loss:.4f}", flush=True)
        if training.epoch % CHECKPOINT_EVERY == 0 or training.epoch == recipe.epochs:
            training.save(checkpoint)
    result["after"] = figures(training.network, dataset)
    return result


def main():
    parser = new_parser(__doc__.splitlines()[0], recipes=NAMES)
    parser.add_argument("--torchreid", type=Path, required=True, help="torchreid's source tree")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    reference = import_reference(arguments.torchreid)
    results = measure_missing(arguments, partial(measure, reference=reference), "_reference")
    print_table(results)


if __name__ == "__main__":
    main()
