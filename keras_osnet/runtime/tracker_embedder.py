"""The callable that trackers take: frame and boxes in, one vector for each box out."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_osnet.runtime.boxes import cut_out

if TYPE_CHECKING:
    from keras_osnet.runtime.embedder import Embedder


class TrackerEmbedder:
    """Compute one embedding for every box of a frame, whatever the boxes are.

    `Embedder.for_tracker` creates it. A box without a pixel of the frame, or with a NaN, gets a
    vector that is unlike every person, so that the tracker goes on: its only component that is not
    0 is -1, and the next such box has it in the next place. So does a crop whose embedding is 0.
    Trackers that use the cosine distance cannot take NaN, and divide by the length, so that they
    cannot take zeros either. The components of OSNet's embeddings are not negative: the cosine with
    every person is at most 0, and that of two such boxes is 0.

    Args:
        embedder: Computes the vectors.
        box_format: As for `Embedder.embed_crops`.
        bgr: As for `Embedder.embed_crops`.
    """

    def __init__(
        self, embedder: "Embedder", *, box_format: str = "xyxy", bgr: bool = False
    ) -> None:
        self.embedder, self.box_format, self.bgr = embedder, box_format, bgr
        self._place = 0
        self(np.zeros((1, 1, 3), np.uint8), [])  # raises for a wrong argument

    def __repr__(self) -> str:
        return f"{self.embedder!r}.for_tracker(box_format={self.box_format!r}, bgr={self.bgr!r})"

    def __call__(self, frame: NDArray[np.uint8], boxes: ArrayLike) -> NDArray[np.float32]:
        """Compute the embeddings of the boxes of a frame.

        Args:
            frame: Array (height, width, 3), uint8, RGB, or BGR if `bgr`.
            boxes: Array (n, 4) in pixels of the frame, in `box_format`.

        Returns:
            Array (n, dim), float32, each row of length 1; (0, dim) for no boxes.

        Raises:
            TypeError: The frame is not uint8.
            ValueError: The frame or the boxes are not of these shapes.
        """
        crops, valid = cut_out(frame, boxes, box_format=self.box_format, bgr=self.bgr, strict=False)
        vectors = np.zeros((len(valid), self.embedder.dim), np.float32)
        vectors[valid] = self.embedder.embed(crops)
        for row in np.flatnonzero(~vectors.any(axis=1)):
            vectors[row, self._place % self.embedder.dim] = -1
            self._place += 1
        return vectors
