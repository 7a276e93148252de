"""How close an exported file comes to the model that it was made from."""

import dataclasses
import json
import os
from dataclasses import dataclass

from keras_osnet._utils.files import atomic_path


@dataclass(frozen=True, kw_only=True)
class FidelityReport:
    """An exported file beside its Keras model, on the same pictures.

    Attributes:
        file: Name of the file.
        quantization: None (float32), `"float16"`, `"dynamic"` or `"int8"`.
        size_bytes: Of the file, with OpenVINO's weights.
        engine: What ran the file: `"litert"`, `"onnxruntime"` or `"openvino"`.
        threads: How many threads the engine computed with.
        latency_ms: Median time of one picture, in milliseconds, on this machine.
        pictures: How many pictures were compared.
        drawn: Whether these were drawn people, as nobody gave real pictures.
        max_relative_difference: Largest difference of any number of any output, over the largest
            absolute number that the Keras model gave.
        cosine_median: Cosine between the two outputs, median over the pictures.
        cosine_min: That of the picture where they differ most.
        agreement: Share of the pictures whose first class is the same; of attributes, share of
            the answers (0.5 or above, or below) that are the same. None for embeddings and maps.
        max_score_difference: Largest difference of any class's or attribute's score. None for
            embeddings and maps.
        rank_1: Rank-1 of the file's embeddings, 0–1; None if the pictures have no identities.
        rank_1_model: Rank-1 of the Keras model's.
        mean_average_precision: mAP of the file's embeddings, 0–1.
        mean_average_precision_model: mAP of the Keras model's.
        off_gpu: Operations that TFLite's GPU delegate does not know, such as `"1 × CAST"`; None
            for other formats.
        off_xnnpack: Operations that XNNPACK, which computes on CPUs, left to the slower built-in
            kernels, such as `"2 × GATHER"`; None for other formats.
    """

    file: str
    quantization: str | None
    size_bytes: int
    engine: str
    threads: int
    latency_ms: float
    pictures: int
    drawn: bool
    max_relative_difference: float
    cosine_median: float
    cosine_min: float
    agreement: float | None = None
    max_score_difference: float | None = None
    rank_1: float | None = None
    rank_1_model: float | None = None
    mean_average_precision: float | None = None
    mean_average_precision_model: float | None = None
    off_gpu: tuple[str, ...] | None = None
    off_xnnpack: tuple[str, ...] | None = None

    @property
    def losses(self) -> dict[str, float]:
        """What the file loses against the model, in points of 100, by the name of the measure.

        Rank-1 and mAP where the pictures have identities; else the agreement of predictions; else
        the cosine of the worst picture. A negative loss is a gain.
        """
        if self.rank_1 is not None and self.rank_1_model is not None:
            model, own = self.mean_average_precision_model or 0, self.mean_average_precision or 0
            return {
                "rank-1": 100 * (self.rank_1_model - self.rank_1),
                "mAP": 100 * (model - own),
            }
        if self.agreement is not None:
            return {"agreement": 100 * (1 - self.agreement)}
        return {"minimum cosine": 100 * (1 - self.cosine_min)}

    def table(self) -> list[tuple[str, str]]:
        """Return the figures as (name, value), to print."""
        drawn = " (drawn people; give real pictures)" if self.drawn else ""
        rows = [
            ("file", f"{self.file}, {self.size_bytes:,} bytes"),
            ("weights", self.quantization or "float32"),
            ("pictures", f"{self.pictures}{drawn}"),
            ("cosine", f"median {self.cosine_median:.6f}, minimum {self.cosine_min:.6f}"),
            ("largest relative difference", f"{self.max_relative_difference:.2e}"),
        ]
        if self.agreement is not None:
            rows += [
                ("same predictions", f"{100 * self.agreement:.2f} %"),
                ("largest difference of a score", f"{self.max_score_difference:.2e}"),
            ]
        for name, own, model in (
            ("rank-1", self.rank_1, self.rank_1_model),
            ("mAP", self.mean_average_precision, self.mean_average_precision_model),
        ):
            if own is not None and model is not None:
                change = 100 * (own - model)
                rows.append(
                    (name, f"{100 * own:.2f} % (Keras model {100 * model:.2f} %, {change:+.2f})")
                )
        rows.append(("latency", f"{self.latency_ms:.2f} ms, {self.engine}, {self.threads} threads"))
        for name, operations in (
            ("off the GPU delegate", self.off_gpu),
            ("off XNNPACK", self.off_xnnpack),
        ):
            if operations is not None:
                rows.append((name, "; ".join(operations) or "nothing"))
        return rows

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the figures as JSON, at once or not at all.

        Raises:
            FileNotFoundError: The folder does not exist.
        """
        with atomic_path(path) as temporary:
            text = json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False)
            temporary.write_text(text + "\n", encoding="utf-8")


class FidelityError(ValueError):
    """An export that lost more than it was allowed to; no file was written.

    Attributes:
        report: The figures.
    """

    def __init__(self, report: FidelityReport, max_drop: float) -> None:
        lost = ", ".join(f"{name} {loss:.3f}" for name, loss in report.losses.items())
        figures = "; ".join(f"{name}: {value}" for name, value in report.table())
        super().__init__(
            f"The exported file loses more than `max_drop` allows, and was not written: {lost} "
            f"points of 100. Received: max_drop={max_drop}; {figures}"
        )
        self.report = report


def check_drop(report: FidelityReport, max_drop: float | None) -> None:
    """Raise FidelityError if the file loses more than `max_drop` points of any measure."""
    # Not "loss > max_drop": a file that gives NaN has lost everything.
    if max_drop is not None and not all(loss <= max_drop for loss in report.losses.values()):
        raise FidelityError(report, max_drop)
