"""Other packages' messages, which a command does not show unless it ends in a crash."""

import atexit
import faulthandler
import logging
import os
import re
import signal
import sys
from contextlib import suppress
from typing import NoReturn

_SHOWN_BYTES = 4000
"""Of the text held back, shown after a crash."""

_DONE = b"\0keras-osnet is done\0"

_holding = False

_NOISE = re.compile(
    rb"INFO:|WARNING:|[IW]\d{4} |[IWE]\d{4} .*(cuda|oneDNN)|\d{4}-\d\d-\d\d .*: [IW] |"
    rb"To enable the following instructions|To turn them off"
)


def open_closed_streams() -> None:
    """Let stdout and stderr go nowhere where they are closed; Python has None in their place."""
    for descriptor, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r"))


def hold_back_noise() -> None:
    """Hold back what other packages write to stderr, until the process ends.

    Native code writes to file descriptor 2, and logs at import or in threads of its own, where no
    setting reaches it. So this descriptor becomes a pipe to a process of its own, which forgets
    what it reads: unless this process ends without having said that all is well, because it was
    killed or crashed; then its last lines are shown. Messages of this package, tracebacks and
    what else Python code writes to `sys.stderr` appear at once. So do all messages if the
    environment variable TF_CPP_MIN_LOG_LEVEL is below 3, or where there is no `os.fork`.
    """
    faulthandler.enable()
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") != "3":
        return
    logging.disable(logging.WARNING)
    if not sys.stderr.isatty():  # which a log file would have line by line
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if not hasattr(os, "fork"):
        return
    global _holding
    _holding = True
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # not by both processes
    seen = os.dup(2)
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(writing)
        _watch(reading, seen)
        os._exit(0)
    os.close(reading)
    os.dup2(writing, 2)
    os.close(writing)
    encoding, errors = sys.stderr.encoding, sys.stderr.errors
    stream = os.fdopen(seen, "w", 1, encoding=encoding, errors=errors)
    sys.stderr = sys.__stderr__ = stream  # type: ignore[misc]
    faulthandler.enable(stream)
    # The first function that is registered is the last one called.
    atexit.register(_say_done, os.getpid())


def exit_now(status: int) -> NoReturn:
    """End the process without waiting for the threads of other packages."""
    if _holding:
        with suppress(OSError):
            os.write(2, _DONE)
    os._exit(status)


def _say_done(process: int) -> None:
    if os.getpid() == process and not hasattr(sys, "last_value"):  # no traceback was shown
        with suppress(OSError):
            os.write(2, _DONE)


def _watch(reading: int, seen: int) -> None:
    """Read until the other process has ended, and show the last lines unless all was well."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(each, signal.SIG_IGN)
    for descriptor in (0, 1, 2):  # others wait for their ends
        os.close(descriptor)
    held = b""
    while content := os.read(reading, 1 << 16):
        held = (held + content)[-(1 << 16) :]
        if _DONE in held:
            return
    lines = [line for line in held.splitlines(keepends=True) if not _NOISE.match(line)]
    with suppress(OSError):
        os.write(seen, b"".join(lines)[-_SHOWN_BYTES:])
