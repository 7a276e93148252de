"""The similarity above which two images show the same person, as an exported file keeps it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_osnet._utils.checks import number, positive_integer

_RATES = ("false_positive_rate", "true_positive_rate")
_COUNTS = ("genuine_pairs", "impostor_pairs", "identities")


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A cosine similarity and its errors, as `keras_osnet.metrics.choose_threshold` measures them.

    Attributes:
        similarity: From -1 to 1; two images show the same person if theirs is at least that.
        similarity_interval: (low, high) of it if other people are drawn.
        false_positive_rate: Share of the pairs of different people that it accepts, 0–1.
        false_positive_interval: (low, high) of that share.
        true_positive_rate: Share of the pairs of the same person that it accepts, 0–1.
        true_positive_interval: (low, high) of that share.
        confidence: Of the intervals, between 0 and 1.
        genuine_pairs: Number of pairs of the same person.
        impostor_pairs: Number of pairs of different people.
        identities: Number of people.

    Raises:
        ValueError: A field is not as above; the message names it.
    """

    similarity: float
    similarity_interval: tuple[float, float]
    false_positive_rate: float
    false_positive_interval: tuple[float, float]
    true_positive_rate: float
    true_positive_interval: tuple[float, float]
    confidence: float
    genuine_pairs: int
    impostor_pairs: int
    identities: int

    def __post_init__(self) -> None:
        values: dict[str, Any] = {"similarity": number("similarity", self.similarity, -1, 1)}
        for name in (*_RATES, "confidence"):
            values[name] = number(name, getattr(self, name), 0, 1)
        for name in _COUNTS:
            values[name] = positive_integer(name, getattr(self, name))
        for name, least in (
            ("similarity_interval", -1.0),
            ("false_positive_interval", 0.0),
            ("true_positive_interval", 0.0),
        ):
            interval = getattr(self, name)
            if not isinstance(interval, tuple) or len(interval) != 2:
                raise ValueError(f"`{name}` must be (low, high). Received: {interval!r:.100}")
            low = number(name, interval[0], least, 1)
            values[name] = low, number(name, interval[1], low, 1)
        for name, value in values.items():  # of Python's types, for JSON
            object.__setattr__(self, name, value)

    @classmethod
    def from_facts(cls, facts: Any) -> "Threshold":
        """Make it of the object in a file's metadata, or of `ChosenThreshold.to_dict()`.

        Raises:
            ValueError: A field is missing, unknown or of the wrong kind.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(facts, Mapping) or sorted(facts) != sorted(names):
            raise ValueError(f"A threshold must have the fields {names}. Received: {facts!r:.200}")
        pairs: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in facts.items()
        }
        return cls(**pairs)
