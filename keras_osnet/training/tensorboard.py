"""Metrics for TensorBoard, on every backend."""

import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path


class TensorBoardLog:
    """Scalars of a training, written where TensorBoard is installed and left out, with a warning,
    where it is not.

    `keras.callbacks.TensorBoard` writes by means of TensorFlow, whatever the backend; TensorBoard's
    own writer does not need it.

    Args:
        folder: Where event files go.
        first_epoch: Epochs from here on that are there already, of a training that was killed, are
            taken back.
    """  # noqa: D205 - one sentence

    def __init__(self, folder: str | os.PathLike[str], first_epoch: int) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event, SessionLog
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError:
            self._writer = None
            warnings.warn(
                "TensorBoard is not installed; metrics are in metrics.csv only. Install with: "
                'pip install "keras-osnet[training]"',
                stacklevel=2,
            )
            return
        self._event, self._summary = Event, Summary
        Path(folder).mkdir(parents=True, exist_ok=True)
        self._writer = EventFileWriter(os.fspath(folder))
        start = SessionLog(status=SessionLog.START)
        self._writer.add_event(Event(wall_time=time.time(), step=first_epoch, session_log=start))

    def write(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Write the metrics of an epoch, so that they can be looked at now."""
        if self._writer is None:
            return
        values = [
            self._summary.Value(tag=name, simple_value=value) for name, value in metrics.items()
        ]
        summary = self._summary(value=values)
        self._writer.add_event(self._event(wall_time=time.time(), step=epoch, summary=summary))
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
