"""Warnings that point at the user's line."""

import sys
import warnings

_SKIPPED = {
    *("keras_osnet", "keras", "tensorflow", "jax", "torch"),
    *("concurrent", "contextlib", "functools", "threading"),
}
"""Packages whose frames are not the user's: this one, and those that call it back."""


class OSNetWarning(UserWarning):
    """A warning of this package, not of one that it uses."""


def warn_user(message: str) -> None:
    """Issue an `OSNetWarning` at the line of the user's program that led here.

    That is the innermost frame outside of this package and of those that call it back, such as
    Keras in `model.fit`; in a thread without such a frame, the line that warns.
    """
    frame, level = sys._getframe(1), 2
    caller = frame
    while frame.f_globals.get("__name__", "").partition(".")[0] in _SKIPPED:
        if frame.f_back is None:
            frame, level = caller, 2
            break
        frame, level = frame.f_back, level + 1
    warnings.warn(message, OSNetWarning, stacklevel=level)
