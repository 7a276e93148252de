"""Batches of augmented images, read from disk on demand or taken from an array."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet._utils.checks import check_whole
from keras_osnet.data.images import ImageReadError
from keras_osnet.data.load_images import Images, ImageSource
from keras_osnet.data.random_erasing import RandomPatch
from keras_osnet.data.sampling import identity_batches, shard, shuffled_indices

Step = Callable[[NDArray, np.random.Generator], NDArray] | RandomPatch
"""A transform of images: one of `keras_osnet.data.transforms`, or a function like one."""


class ImageBatches:
    """The augmented batches of any epoch, of images on disk or in memory.

    Every batch is a function of (seed, epoch, index): requested again, in another order, by another
    thread or after a restart, it is the same to the bit. With an integer `batch_size`, an epoch has
    every image once, in random order, and the last incomplete batch is dropped, as in torchreid.
    With a pair, batches are drawn by `identity_batches`.

    `keras_osnet.training.TrainingDataset` and `to_tf_dataset` feed it to `model.fit`.

    Args:
        images: The files; or pixels, array (images, height, width, 3), uint8, RGB, as CIFAR's. An
            array is not copied.
        labels: The target of each image; array (images, ...): a `ReidDataset`'s `train_labels`, a
            `LabeledImages`' labels, or rows of attributes.
        image_size: (height, width) that images are resized to before the steps, as `read_image`
            does. None, for arrays only, is their own.
        batch_size: Images per batch; or (people, images of each), where labels are integers.
        steps: Transforms of each image, in this order. Without `Normalize`, batches are pixels. A
            batch has the height and width that the last step returns.
        seed: Seed of order and augmentation, from 0.
        in_memory: Whether to keep every image once it is read and resized, which takes height ×
            width × 3 bytes each: 1.3 GB for Market-1501 at 256 × 128. An array at its own size
            takes no more memory.
        worker: (index, count) if this is one of several workers that train together: it gets one
            part of each batch, see `shard`.

    Raises:
        ValueError: An argument is invalid, or the images do not fill one batch.

    Example:
        >>> import tempfile
        >>> from keras_osnet.data.datasets.market1501 import read_folder
        >>> from keras_osnet.synthetic import write_synthetic_people
        >>> from keras_osnet.data import Normalize, RandomErasing, RandomFlip
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = write_synthetic_people(folder, 4, cameras=2, views=2, image_size=(64, 32))
        ...     people = read_folder(folder)
        ...     batches = ImageBatches(
        ...         [person.path for person in people],
        ...         [person.identity for person in people],
        ...         image_size=(64, 32),
        ...         batch_size=(2, 4),
        ...         steps=[RandomFlip(), Normalize(), RandomErasing()],
        ...     )
        ...     images, labels = batches.batch(epoch=0, index=1)
        >>> len(batches), images.shape, images.dtype, len(set(labels.tolist()))
        (2, (8, 64, 32, 3), dtype('float32'), 2)
    """

    def __init__(
        self,
        images: Images,
        labels: ArrayLike,
        *,
        image_size: tuple[int, int] | None = None,
        batch_size: int | tuple[int, int],
        steps: Sequence[Step] = (),
        seed: int = 0,
        in_memory: bool = False,
        worker: tuple[int, int] = (0, 1),
    ) -> None:
        self._source = ImageSource(images, image_size, keep=in_memory)
        check_whole(0, seed=seed)
        self.images = self._source.images
        self.labels = np.asarray(labels)
        if self.labels.shape[:1] != (len(self.images),):
            raise ValueError(
                f"`labels` must be one for each of the {len(self.images)} images. "
                f"Received: shape {self.labels.shape}"
            )
        self.image_size = self._source.image_size
        self.batch_size = batch_size
        self.steps = tuple(steps)
        self.seed = seed
        self.worker = worker
        self._order = (0, self._draw(0))
        if len(self) == 0:
            raise ValueError(
                f"`batch_size` must not be above the number of images. "
                f"Received: {batch_size} with {len(self.images)} images"
            )
        shard(self._order[1], *worker)

    def __len__(self) -> int:
        """Return the number of batches per epoch; the same for every epoch."""
        return len(self._order[1])

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the batches of an epoch as indices into `images`; array (batches, images).

        These are whole batches, of which a worker reads its part.
        """
        # One atomic read and write: threads may draw twice, but never see a partial order.
        drawn = self._order
        if drawn[0] != epoch:
            self._order = drawn = (epoch, self._draw(epoch))
        return drawn[1]

    def batch(self, epoch: int, index: int) -> tuple[NDArray, NDArray]:
        """Read and augment one batch, in as many threads as there are cores.

        Args:
            epoch: The epoch, from 0.
            index: The batch, from 0.

        Returns:
            Images, array (images, height, width, 3) of the dtype that the last step returns; and
            their labels, array (images, ...).

        Raises:
            IndexError: The epoch has no such batch.
            ImageReadError: Files cannot be read; it names all of them. A dataset without them is
                what `keras_osnet.data.readable.readable` returns.
            ValueError: A step does not support images of this size, or steps return several shapes.
        """
        check_whole(0, epoch=epoch)
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must be 0 to {len(self) - 1}. Received: {index}")
        order = self.order(epoch)
        # The position in the epoch, not the image, seeds the augmentation: an image drawn twice in
        # an epoch looks different each time.
        places = np.arange(order.size).reshape(order.shape)
        own = [shard(whole[index : index + 1], *self.worker)[0] for whole in (order, places)]
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            drawn = list(pool.map(partial(self._augmented, epoch), *own))
        errors = [each for each in drawn if isinstance(each, ImageReadError)]
        if errors:
            raise ImageReadError.join(errors)
        images = [each for each in drawn if not isinstance(each, ImageReadError)]
        shapes = {image.shape for image in images}
        if len(shapes) > 1:
            raise ValueError(f"`steps` must return images of one shape. Received: {sorted(shapes)}")
        return np.stack(images), self.labels[own[0]]

    def _draw(self, epoch: int) -> NDArray[np.int64]:
        if isinstance(self.batch_size, tuple | list):
            return identity_batches(self.labels, *self.batch_size, seed=self.seed, epoch=epoch)
        check_whole(1, batch_size=self.batch_size)
        order = shuffled_indices(len(self.images), seed=self.seed, epoch=epoch)
        full = len(order) // self.batch_size * self.batch_size
        return order[:full].reshape(-1, self.batch_size)

    def _augmented(self, epoch: int, number: int, place: int) -> NDArray | ImageReadError:
        rng = np.random.default_rng([self.seed, epoch, int(place)])
        try:
            image: NDArray = self._source.read(int(number))
            for step in self.steps:
                if isinstance(step, RandomPatch):
                    image = step(image, rng, self._draw_image)
                else:
                    image = step(image, rng)
        except ImageReadError as error:
            return error
        return image

    def _draw_image(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        return self._source.read(int(rng.integers(len(self.images))))
