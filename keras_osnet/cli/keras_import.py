"""Importing Keras quietly, or saying what to install."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from keras_osnet.cli.console import waiting

_BACKENDS = ("tensorflow", "jax", "torch")


def import_keras() -> None:
    """Import Keras with its backend, so that what the command imports next is there already.

    Raises:
        ImportError: The backend is not installed; the message says how to get one.
    """
    # Read by TensorFlow's C++ side when it is loaded; 3 leaves fatal errors. Whoever sets it lower
    # wants to see everything.
    quiet = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3"
    with waiting("Starting Keras …"), _quiet_stderr() if quiet else nullcontext():
        try:
            import keras  # noqa: F401
        except (ImportError, ValueError) as error:  # ValueError: KERAS_BACKEND is none it knows
            raise ImportError(_what_to_install(error)) from error
    if quiet:
        # Its Python side warns of every model that is run after a few others.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _what_to_install(error: Exception) -> str:
    wanted = os.environ.get("KERAS_BACKEND") or "tensorflow"
    missing = getattr(error, "name", None) or ""
    if wanted not in _BACKENDS or not missing.startswith(wanted):
        return f"Keras cannot be imported: {error}. Received: KERAS_BACKEND={wanted}"
    others = [backend for backend in _BACKENDS if backend != wanted]
    return (
        f"Keras runs on a backend, and {wanted} is not installed. Install it with: "
        f'pip install "keras-osnet[{wanted}]" (or [{others[0]}] or [{others[1]}], with '
        f"KERAS_BACKEND={others[0]} or {others[1]} in the environment)"
    )


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, and show it only if the block fails.

    TensorFlow logs a screenful before it has read any setting of the log level.
    """
    sys.stderr.flush()
    own = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except (ImportError, KeyboardInterrupt):
            raise  # they say themselves what happened
        except BaseException:
            held.seek(0)
            os.write(own, held.read())
            raise
        finally:
            os.dup2(own, 2)
            os.close(own)
