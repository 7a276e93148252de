"""A video with boxes, such as the people that a detector found in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keras_osnet._utils.files import check_regular
from keras_osnet._utils.optional import require
from keras_osnet.bulk._arrow import arrow
from keras_osnet.bulk.columns import box_column, box_columns, boxes_of, convert, output_schema
from keras_osnet.bulk.crops import CHUNK, Chunk, Image, Unreadable, cut
from keras_osnet.bulk.selection import Selection, as_text
from keras_osnet.bulk.table import Table

if TYPE_CHECKING:
    import pyarrow as pa


class VideoSource:
    """The boxes in a video, with all columns of their table.

    The table has the columns `frame` (from 0, as OpenCV counts) and `left`, `top`, `right`,
    `bottom` (or `width`, `height`), in pixels. It is held in memory. The video is decoded once, and
    only the frames with boxes become pixels. A key is `video:frame:box`, the box counted in its
    frame from 0. `video` becomes a column, with the file's absolute path.

    Args:
        video: A file that OpenCV reads.
        boxes: A table as for `keras_osnet.bulk.table.Table`.

    Raises:
        OSError: A file cannot be read.
        ValueError: The table lacks a column, a frame is no whole number, or the video cannot be
            opened.
        ImportError: OpenCV or pyarrow is not installed.
    """

    def __init__(self, video: Path, boxes: Path) -> None:
        pa = arrow()
        self._cv2 = require("cv2", "Reading videos", "video")
        check_regular(video)
        self._video, self._name = video, str(boxes)
        table = Table(boxes, ("frame", "left", "top"))
        edges = box_columns(table.schema.names)
        if edges is None or "frame" not in table.schema.names:
            raise ValueError(
                "The table of boxes needs the columns frame, left, top, right, bottom (or width, "
                f"height). Received: {', '.join(table.schema.names)} in {boxes}"
            )
        self.schema = output_schema(table.schema, self._name, box=True)
        if "video" not in self.schema.names:
            self.schema = self.schema.append(pa.field("video", pa.string()))
        self._rows = pa.Table.from_batches(table.batches(), schema=table.schema)
        frames = self._frames()
        order = np.argsort(frames, kind="stable")
        if (order[1:] < order[:-1]).any():
            self._rows = self._rows.take(pa.array(order))
        self._rows = self._rows.combine_chunks()
        self._numbers = frames[order]
        self._boxes = np.concatenate(
            [np.empty((0, 4)), *(boxes_of(batch, edges) for batch in self._rows.to_batches())]
        )
        self._opened().release()

    def chunks(self, selection: Selection) -> Iterator[Chunk]:
        """Yield the selected crops, in the order of the frames."""
        keys = self._keys()
        rows = np.flatnonzero(selection.mask(keys))
        crops = self._crops(rows)
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            yield Chunk(
                [keys[row] for row in part],
                [next(crops) for _ in part],
                [None] * len(part),
                self._columns(part),
                (int(part[-1]) + 1) / len(keys),
            )

    def _crops(self, rows: NDArray[np.intp]) -> Iterator[Image]:
        """Yield the crop of each row, the video being decoded once."""
        video = self._opened()
        following, frame = 0, None
        try:
            for row in rows:
                number = int(self._numbers[row])
                while following <= number and video.grab():
                    following += 1
                    frame = None
                if following <= number:
                    yield Unreadable(f"the video ends after {following:,} frames")
                    continue
                if frame is None:
                    read, frame = video.retrieve()
                    frame = frame if read else np.empty((0, 0, 3), np.uint8)
                yield self._cut(frame, row)
        finally:
            video.release()

    def _cut(self, frame: NDArray[np.uint8], row: int) -> Image:
        if not frame.size:
            return Unreadable("the frame cannot be decoded")
        try:
            left, top, right, bottom = self._boxes[row].tolist()
            return cut(frame, (left, top, right, bottom), bgr=True).copy()  # not all of the frame
        except ValueError as error:
            return Unreadable(str(error))

    def _columns(self, rows: NDArray[np.intp]) -> "pa.RecordBatch":
        pa = arrow()
        batch = self._rows.take(pa.array(rows)).combine_chunks()
        columns: list[Any] = []
        for field in self.schema:
            if field.name in batch.schema.names:
                column = batch.column(field.name).combine_chunks()
                columns.append(convert(column, field, self._name))
            elif field.name == "box":
                columns.append(box_column(self._boxes[rows]))
            else:
                video = as_text(str(self._video.absolute()))
                columns.append(pa.array([video] * len(rows), field.type))
        return pa.record_batch(columns, schema=self.schema)

    def _keys(self) -> list[str]:
        starts = np.flatnonzero(np.diff(self._numbers, prepend=-1))
        counts = np.diff(np.append(starts, len(self._numbers)))
        places = np.arange(len(self._numbers)) - np.repeat(starts, counts)
        return [
            f"{as_text(self._video.name)}:{frame}:{place}"
            for frame, place in zip(self._numbers.tolist(), places.tolist(), strict=True)
        ]

    def _frames(self) -> NDArray[np.int64]:
        pa = arrow()
        try:
            column = self._rows.column("frame").cast(pa.int64())
            frames: NDArray[np.int64] = column.to_numpy()
            if column.null_count or (frames < 0).any():
                raise ValueError("a number is missing or negative")
        except (pa.ArrowInvalid, ValueError) as error:
            raise ValueError(
                f"The column `frame` must hold whole numbers from 0: {error}. "
                f"Received: {self._name}"
            ) from error
        if not len(frames):
            raise ValueError(f"The table of boxes has no rows. Received: {self._name}")
        return frames

    def _opened(self) -> Any:
        video = self._cv2.VideoCapture(str(self._video))
        if not video.isOpened():
            raise ValueError(f"OpenCV cannot read the video. Received: {self._video}")
        return video
