"""The pairs of images that `threshold` and `visualize roc` compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_osnet.cli.people import BY_DATASET, BY_TABLE, PeopleSource, is_divided

if TYPE_CHECKING:
    from keras_osnet.data import PersonImage
    from keras_osnet.data.records import EmbeddedImages
    from keras_osnet.metrics.verification_pairs import PairCounts


@dataclass(frozen=True)
class VerificationTask:
    """Images whose pairs are compared.

    Attributes:
        query: Queries, or all images if the pairs are those of one set.
        gallery: Gallery images, or None for one set.
        division: Which images are compared with which, to print with the result.
    """

    query: "Sequence[PersonImage]"
    gallery: "Sequence[PersonImage] | None"
    division: str

    @classmethod
    def read(cls, source: PeopleSource) -> "VerificationTask":
        """Read --data and the options that belong to it.

        Raises:
            click.UsageError: Options contradict each other, or --data is missing.
            ValueError: The images cannot be read.
            OSError: Files are not there or cannot be read.
        """
        people = source.read()
        if source.dataset is not None:
            return cls(people.query, people.gallery, BY_DATASET)
        if is_divided(people):
            return cls(people.query, people.gallery, BY_TABLE)
        # Distractors are many people with one number.
        images = [image for image in people.all_images if not image.distractor]
        under = all(image.camera is not None for image in images)
        which = "every two images under different cameras" if under else "every two images"
        return cls(images, None, f"pairs are {which}")

    @property
    def images(self) -> "list[PersonImage]":
        """The images of both sides."""
        return [*self.query, *(self.gallery or ())]

    @property
    def _others(self) -> "Sequence[PersonImage]":
        return self.query if self.gallery is None else self.gallery

    def count_pairs(self) -> "PairCounts":
        """Count the pairs.

        Raises:
            ValueError: There is no pair of one person or none of different people.
        """
        from keras_osnet.data.records import ranking_labels
        from keras_osnet.metrics.ranked_lists import checked_labels
        from keras_osnet.metrics.verification_pairs import count_pairs

        shape = len(self.query), len(self._others)
        labels = checked_labels(*ranking_labels(self.query, self._others), shape, "images")
        return count_pairs(labels, one_set=self.gallery is None)

    def arrays(self, embedded: "EmbeddedImages") -> tuple[Any, ...]:
        """Return the arrays that the functions of verification take, without unreadable images.

        Args:
            embedded: Embeddings of all images.

        Returns:
            Embeddings, identities and cameras, each of both sides in turn; None for a side that is
            not.

        Raises:
            ValueError: No image of a side can be read.
        """
        from keras_osnet.data.records import ranking_labels

        queries, others = (
            [person for person in side if person.path not in embedded.unreadable]
            for side in (self.query, self._others)
        )
        if not (queries and others):
            raise ValueError(
                f"`data` must have images that can be read. Received: {len(embedded.paths)} images"
            )
        ids, other_ids, cameras, other_cameras = ranking_labels(queries, others)
        vectors = embedded.vectors_of(queries)
        if self.gallery is None:
            return vectors, None, ids, None, cameras, None
        return vectors, embedded.vectors_of(others), ids, other_ids, cameras, other_cameras
