"""Which rows of a gallery to search, count or delete."""

import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from keras_osnet.gallery.times import utc

Names: TypeAlias = "str | int | Iterable[str | int] | None"
"""One name or number, several of which any may match, or None for all."""


@dataclass(frozen=True)
class Filter:
    """Conditions on rows, all of which must hold; None is no condition.

    Attributes:
        key: Keys of rows, any of which.
        person: Names of people, any of which.
        camera: Cameras, any of which.
        not_camera: Cameras, none of which. A row whose camera is not known matches.
        site: Sites, any of which.
        after: Not earlier than this, in UTC. A row whose time is not known does not match.
        before: Earlier than this, in UTC. A row whose time is not known does not match.
        unnamed: Whether only rows without a name match.
    """

    key: tuple[str, ...] | None = None
    person: tuple[str, ...] | None = None
    camera: tuple[str, ...] | None = None
    not_camera: tuple[str, ...] | None = None
    site: tuple[str, ...] | None = None
    after: datetime | None = None
    before: datetime | None = None
    unnamed: bool = False

    @classmethod
    def of(
        cls,
        *,
        after: str | datetime | None = None,
        before: str | datetime | None = None,
        **given: Any,
    ) -> "Filter":
        """Return the conditions that arguments give.

        Raises:
            ValueError: An argument is not as described above.
        """
        conditions: dict[str, Any] = {name: names(value, name) for name, value in given.items()}
        times = {"after": after, "before": before}
        conditions |= {
            name: None if time is None else utc(time, name) for name, time in times.items()
        }
        made = cls(**conditions)
        if made.after is not None and made.before is not None and made.after >= made.before:
            raise ValueError(
                "`after` must be earlier than `before`. "
                f"Received: after={after!r}, before={before!r}"
            )
        return made


def names(value: Names, name: str) -> tuple[str, ...] | None:
    """Return names or numbers as texts; raise ValueError for anything else, or for none at all."""
    if value is None:
        return None
    several = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    texts = [str(each) for each in several if _is_name(each)]
    if len(texts) != len(several) or not texts:
        raise ValueError(
            f"`{name}` must be a name or number, or a list of at least one. Received: {value!r}"
        )
    return tuple(texts)


def _is_name(value: Any) -> bool:
    return isinstance(value, str | numbers.Integral) and not isinstance(value, bool)
