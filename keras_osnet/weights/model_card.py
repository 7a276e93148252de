"""The model card of published weights."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from numbers import Real
from typing import Any

from keras_osnet.architecture.configuration import Configuration
from keras_osnet.weights.catalogue import WeightsInfo, list_weights
from keras_osnet.weights.hub_reference import PREFIX, parse_hub_reference

REPOSITORY = "owner/repository"
"""Stands in a card for the repository, which is known only when the card is pushed."""

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]*")
_DATASET = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True)
class Origin:
    """Facts for the model card that weights do not store.

    Args:
        license: The Hub's identifier of the license, such as "mit" or "cc-by-nc-4.0".
        trained_on: The training set, or several joined with "+", as catalogue tags or Hub names.
        base: Weights that these derive from; None if they were trained from random initial values.
        metrics: Figures in percent and their conditions, by test set.
        about: Text by the publisher.
    """

    license: str
    trained_on: str
    base: WeightsInfo | str | None
    metrics: Mapping[str, Mapping[str, float | str]]
    about: str | None

    def __post_init__(self) -> None:
        if not _LICENSE.fullmatch(self.license):
            raise ValueError(
                "`license` must be one of the Hub's identifiers, such as mit, apache-2.0, "
                "cc-by-nc-4.0 or other (see https://huggingface.co/docs/hub/repositories-licenses)."
                f" Received: {self.license!r}"
            )
        if self.license == "other" and not self.about:
            raise ValueError(
                '`description` must state the terms of `license="other"`. Received: '
                f"description={self.about!r}"
            )
        for argument, names in (("trained_on", self.datasets), ("metrics", list(self.metrics))):
            if not all(_DATASET.fullmatch(name) for name in names):
                raise ValueError(
                    f"`{argument}` must name datasets, as the catalogue does (market1501; several "
                    f"in `trained_on`: msmt17+cuhk03) or the Hub (owner/name). Received: {names}"
                )
        if self.base == "":
            raise ValueError(
                "`base` must name the weights that these derive from, or be None for weights "
                f"trained from random initial values. Received: {self.base!r}"
            )
        _check_metrics(self.metrics)

    @property
    def datasets(self) -> list[str]:
        """The training sets, one by one."""
        return self.trained_on.split("+")

    @property
    def base_repository(self) -> str | None:
        """The repository on the Hub that the weights derive from, None if it is not on the Hub."""
        if isinstance(self.base, WeightsInfo):
            return self.base.repository
        if self.base is not None and self.base.startswith(PREFIX):
            return parse_hub_reference(self.base).repository
        return None


def build_model_card(name: str, origin: Origin, configuration: Mapping[str, Any]) -> str:
    """Return a model card, metadata and text, with `REPOSITORY` where its repository belongs.

    Args:
        name: Name of the model.
        origin: Facts about the weights.
        configuration: The `config.json` beside the card; see `keras_osnet.weights.save_for_hub`.
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    results = [
        EvalResult(
            task_type="image-feature-extraction",
            dataset_type=test_set,
            dataset_name=_dataset(test_set)["title"],
            metric_type=key,
            metric_name=_heading(key),
            metric_value=float(f"{value:g}"),
        )
        for test_set, figures in origin.metrics.items()
        for key, value in figures.items()
        if not isinstance(value, str)
    ]
    data = ModelCardData(
        license=origin.license,
        library_name="keras-osnet",
        pipeline_tag="image-feature-extraction",
        tags=["person-re-identification", "re-ID", "osnet", "keras-osnet"],
        datasets=origin.datasets,
        base_model=origin.base_repository,
        model_name=name if results else None,
        eval_results=results or None,
    )
    model, weights = Configuration(**configuration["model"]), configuration["weights"]
    card = ModelCard.from_template(
        data,
        template_str=resources.files(__package__).joinpath("model_card.md").read_text("utf-8"),
        name=name,
        repository=REPOSITORY,
        model=model,
        arguments=_as_code(model),
        result=_result(model),
        torchreid=_torchreid_name(model),
        preprocessing=configuration["preprocessing"],
        height=model.input_shape[0],
        width=model.input_shape[1],
        parameters=weights["parameters"],
        size=weights["size"],
        sha256=weights["sha256"],
        license=origin.license,
        datasets=[_dataset(dataset) for dataset in origin.datasets],
        about=origin.about,
        metrics=origin.metrics,
        table=_table(origin.metrics),
        base=origin.base,
        base_repository=origin.base_repository,
        checkpoint=asdict(origin.base) if isinstance(origin.base, WeightsInfo) else None,
    )
    return str(card).rstrip() + "\n"


def _check_metrics(metrics: Mapping[str, Mapping[str, float | str]]) -> None:
    for test_set, entry in metrics.items():
        figures = [value for value in entry.values() if not isinstance(value, str)]
        if not figures or not all(
            isinstance(value, Real) and 0 <= value <= 100 for value in figures
        ):
            problem = "must be numbers of 0 to 100"
        elif max(figures) <= 1:
            problem = "must be in percent, and these look like shares of 1"
        else:
            continue
        raise ValueError(
            "`metrics` must give figures and their conditions by test set, such as "
            '{"market1501": {"rank_1": 94.2, "mAP": 82.6, "metric": "cosine"}}; '
            f"the figures of {test_set} {problem}. Received: {dict(entry)}"
        )


def _dataset(name: str) -> dict[str, str]:
    text = resources.files(__package__).joinpath("datasets.toml").read_text("utf-8")
    return tomllib.loads(text).get(name, {"title": name})


def _heading(key: str) -> str:
    return "distance" if key == "metric" else re.sub(r"^rank_(\d+)$", r"rank-\1", key)


def _table(metrics: Mapping[str, Mapping[str, float | str]]) -> str:
    keys = list(dict.fromkeys(key for entry in metrics.values() for key in entry))
    rows = [["test set", *map(_heading, keys)], ["---"] * (len(keys) + 1)]
    for test_set, entry in metrics.items():
        cells = [entry.get(key, "–") for key in keys]
        texts = [cell if isinstance(cell, str) else f"{cell:g}" for cell in cells]
        rows.append([_dataset(test_set)["title"], *texts])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _as_code(model: Configuration) -> str:
    shown = model.call_arguments()
    if "input_shape" in shown:
        shown["input_shape"] = model.input_shape
    lines = [f"{argument}={value!r},".replace("'", '"') for argument, value in shown.items()]
    return "\n    ".join(lines)


def _result(model: Configuration) -> str:
    if model.outputs is not None:
        return f"named intermediates: {', '.join(model.outputs)}"
    if model.head is None:
        return "feature maps" if model.pooling is None else "a vector of pooled features"
    if model.head == "embedding":
        size = model.feature_dim or model.channels[-1]
        length = " of length 1" if model.normalize else ""
        return (
            f"a {size}-d embedding{length}; embeddings of the same person are close to each other"
        )
    kind = {"classification": "class or identity", "attribute": "attribute"}[model.head]
    return f"{model.classes} scores, one for each {kind} of its training data"


def _torchreid_name(model: Configuration) -> str | None:
    """Return the name of the torchreid network that the weights fit, None without one."""
    plain = Configuration(head="embedding", width=model.width, variant=model.variant)
    same = all(
        getattr(model, argument) == getattr(plain, argument)
        for argument in Configuration.names(of_weights=True)
    )
    # torchreid only has the architectures of its published weights.
    published = {entry.architecture for entry in list_weights()}
    return model.name if same and model.name in published else None
