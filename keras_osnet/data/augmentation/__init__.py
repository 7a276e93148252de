"""Changing pictures at random, as the reference does when it trains.

A step is a frozen dataclass: a few numbers, and a call that takes an image and a generator and
returns a new image. It has no state. What happens to a picture is a function of the generator,
which the pipeline makes from (seed, epoch, place in the epoch). Therefore the same code serves
tf.data and a PyDataset, on every backend, in any number of threads, and an epoch can be repeated
after a restart. Keras's own random layers draw from generators that have a state, which depends on
what was drawn before, and its erasing and colour jitter have other parameters than the reference's.

The order is the reference's: flip, crop, patch, colour jitter, all on pixels; then `Normalize`;
then erasing.

There are four ways to crop. For people, `RandomCrop`: enlarged by an eighth, cut back to the size
they had. For ImageNet, `RandomWindow`: a piece of the picture as it is, smaller than the picture;
and to test, `CenterCrop`, the piece in the middle. For CIFAR, `PadAndCrop`: mirrored margins, cut
back to the size it had.
"""

from keras_osnet._utils import lazy

HOMES = {
    "CenterCrop": "keras_osnet.data.augmentation.window",
    "ColorJitter": "keras_osnet.data.augmentation.color_jitter",
    "Normalize": "keras_osnet.data.augmentation.normalize",
    "PadAndCrop": "keras_osnet.data.augmentation.pad_and_crop",
    "RandomCrop": "keras_osnet.data.augmentation.crop",
    "RandomErasing": "keras_osnet.data.augmentation.erasing",
    "RandomFlip": "keras_osnet.data.augmentation.flip",
    "RandomPatch": "keras_osnet.data.augmentation.patch",
    "RandomWindow": "keras_osnet.data.augmentation.window",
}
"""For each public name, the module that defines it."""

__getattr__, __dir__, __all__ = lazy.attach(__name__, HOMES)
