"""The errors of a store, in our words."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from keras_osnet._utils.files import DiskFullError

_PLACE = re.compile(r",? /\S+\.rs:\d+:\d+.*|,? location: Location.*", re.DOTALL)
_PREFIX = re.compile(r"^(External error: |LanceError\(\w+\): |Generic \w+ error: )+")
_FULL = {
    code: re.compile(rf"{os.strerror(code)}|os error {code}\b")
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
}


class GalleryError(OSError):
    """A gallery is damaged, of another kind or cannot be reached; the message names it."""


@contextmanager
def explained(uri: str, doing: str) -> Iterator[None]:
    """Raise the errors of the store's library as ours.

    Args:
        uri: Of the gallery.
        doing: Of what could not be done, such as "searched".

    Raises:
        keras_osnet._utils.files.DiskFullError: There is no space left.
        GalleryError: Any other error of the library.
    """
    try:
        yield
    except (GalleryError, DiskFullError, ImportError):
        raise
    except BaseException as error:
        # A panic of the library's Rust code is a BaseException.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        text = _text_of(error)
        for code, pattern in _FULL.items():
            if pattern.search(text):
                raise DiskFullError(
                    code,
                    f"{os.strerror(code)}: the gallery could not be {doing} and keeps what it had. "
                    f"Free some space there. Received: {uri}",
                ) from error
        raise GalleryError(
            f"The gallery could not be {doing}: {_short(text) or type(error).__name__}. "
            f"Received: {uri}"
        ) from error


def _text_of(error: BaseException) -> str:
    """Return the message of an error: those of pymilvus have one, those of gRPC have details."""
    if callable(details := getattr(error, "details", None)):
        return str(details())
    return str(getattr(error, "message", error))


def _short(text: str) -> str:
    """Return a message without where in the library's source it comes from."""
    first = _PLACE.sub("", text).strip().partition("\n")[0]
    return _PREFIX.sub("", first).rstrip(" .")
