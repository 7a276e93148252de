"""Ctrl-C that ends a process within seconds, whatever native code is doing."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click

from keras_osnet.cli import quiet
from keras_osnet.cli.console import INTERRUPTED, echo

_SECONDS = 2.0
"""How long Python has to end by itself."""


@contextmanager
def ends_at_once(message: Callable[[], str]) -> Iterator[None]:
    """Let Ctrl-C end the process within seconds, with a message and the status of shells.

    Python notices a signal between two of its own operations only, and compiling the step of a
    training is one of a minute. A thread notices at once, and gives Python a few seconds. Files
    must be written whole or not at all inside, as they are by `atomic_path`.

    Args:
        message: Called for the message.

    Raises:
        click.exceptions.Exit: KeyboardInterrupt was raised, but not by a signal.
    """
    pressed, ending = threading.Event(), threading.Lock()

    def end() -> None:
        with ending:  # the first of two threads that come here
            echo(message(), err=True)
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            quiet.exit_now(INTERRUPTED)

    with _watch_signals(pressed, end):
        try:
            yield
        except KeyboardInterrupt:
            if pressed.wait(0.1):
                end()
            echo(message(), err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None


@contextmanager
def _watch_signals(pressed: threading.Event, end: Callable[[], None]) -> Iterator[None]:
    """Set `pressed` when Ctrl-C is pressed, and call `end` if the block goes on after it."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    over = threading.Event()

    def watch() -> None:
        while signals := os.read(reading, 64):
            if signal.SIGINT in signals:
                pressed.set()
                if not over.wait(_SECONDS):
                    end()
        os.close(reading)

    def unraisable(lost: "sys.UnraisableHookArgs") -> None:
        # Python was in a destructor, from which it cannot raise.
        if issubclass(lost.exc_type, KeyboardInterrupt):
            end()
        hook(lost)

    before, hook = signal.set_wakeup_fd(writing, warn_on_full_buffer=False), sys.unraisablehook
    sys.unraisablehook = unraisable
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()
        sys.unraisablehook = hook
        signal.set_wakeup_fd(before)
        os.close(writing)
