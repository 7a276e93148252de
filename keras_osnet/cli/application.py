"""The group of all commands, and how it reports errors, warnings and Ctrl-C."""

import _thread
import difflib
import importlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import click

from keras_osnet import __version__
from keras_osnet._utils.warn_user import OSNetWarning
from keras_osnet.cli.console import INTERRUPTED, echo, escape_unprintable, printable, warn
from keras_osnet.cli.messages import with_options
from keras_osnet.cli.outputs import check_output

_COMMANDS = {
    "quickstart": "quickstart:command",
    "models": "listings:models",
    "weights": "listings:weights",
    "info": "listings:info",
    "convert": "export:convert",
    "export": "export:export",
    "benchmark": "benchmark:command",
    "embed": "embed:command",
    "gallery": "gallery:command",
    "evaluate": "evaluate:command",
    "threshold": "threshold:command",
    "attributes": "attributes:command",
    "train": "train:train",
    "distill": "distill:command",
    "resume": "train:resume",
    "recipes": "recipes:command",
    "stats": "images:stats",
    "visualize": "visualize:command",
    "synthetic": "images:synthetic",
}
"""Module of this package and name in it, in the order of `--help`."""

_GROUPS = ("gallery", "visualize")

_RUNNING = f"{__name__}.running"
"""Key in click's `meta` of the context of the innermost command."""

CLOSED_PIPE = 128 + 13
"""Exit status of a program whose output nobody reads any more (signal 13), as shells report it."""


class _Context(click.Context):
    """The context of a command, which errors and warnings ask for its options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.meta[_RUNNING] = self

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command, unless its output would be among the files that it reads."""
        check_output(self)
        return super().invoke(*args, **kwargs)


class LazyGroup(click.Group):
    """A group that imports a command when it is first used.

    Args:
        commands: For each command's name, module and name in it, separated by a colon.
        package: The package that the modules are in.
    """

    context_class = _Context

    def __init__(self, *args: Any, commands: Mapping[str, str], package: str, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._homes, self._package = commands, package

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands' names, in the order of `--help`."""
        return list(self._homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in self._homes:
            return None
        module, name = self._homes[cmd_name].split(":")
        command = getattr(importlib.import_module(f"{self._package}.{module}"), name)
        command.context_class = _Context
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; the error for one that does not exist names similar ones."""
        if args[0] not in self._homes and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self._homes) or self._inside(ctx, args[0])
            meant = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)

    def _inside(self, ctx: click.Context, wanted: str) -> list[str]:
        """Return commands of this name in the group's groups."""
        groups = [(name, self.get_command(ctx, name)) for name in self._homes if name in _GROUPS]
        return [
            f"{name} {wanted}"
            for name, group in groups
            if isinstance(group, LazyGroup) and wanted in group._homes
        ]


class _Application(LazyGroup):
    """Prints errors instead of tracebacks, in the words of the command line."""

    def main(self, args: Any = None, standalone_mode: bool = True, **kwargs: Any) -> Any:  # type: ignore[override]
        """Run a command and exit; a closed pipe and Ctrl-C have the exit status of shells."""
        escape_unprintable()
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **kwargs)
        sys.unraisablehook = _interrupt_again
        try:
            try:
                status = super().main(args, standalone_mode=False, **kwargs)
            except click.ClickException as error:
                error.message = printable(error.message)  # type: ignore[misc]
                error.show()
                status = error.exit_code
            sys.stdout.flush()  # not at the exit, where it could only fail unnoticed
        except (KeyboardInterrupt, click.Abort):
            status = _interrupted()
        except (BrokenPipeError, _ClosedPipeError):
            _forget_stdout()
            status = CLOSED_PIPE
        except OSError as error:
            _forget_stdout()
            echo(f"Error: The output cannot be written: {error.strerror}", err=True)
            status = 1
        sys.exit(status if isinstance(status, int) else 0)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the arguments, or print the help."""
        with _told_apart():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors of the library become the command's."""

        def show_warning(
            message: Warning | str, category: type[Warning], *_: Any, **__: Any
        ) -> None:
            # Other packages' warnings are for programmers, who can ask for them.
            if issubclass(category, OSNetWarning) or sys.warnoptions:
                warn(" ".join(with_options(str(message), ctx.meta.get(_RUNNING)).split()))

        try:
            with _told_apart(), warnings.catch_warnings():
                warnings.showwarning = show_warning
                return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(_interrupted())
        except (ValueError, OSError, ImportError) as error:
            message = with_options(_message(error), ctx.meta.get(_RUNNING))
            raise click.ClickException(message) from error
        except Exception as error:  # all others are mistakes of the program
            if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in _kind(error):
                message = "There is not enough memory: use smaller images, batches or models."
                raise click.ClickException(message) from error
            raise


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and str(error).startswith("[Errno"):
        named = "" if error.filename is None else f". Received: {os.fsdecode(error.filename)}"
        return f"{error.strerror}{named}"
    return str(error) or type(error).__name__


def _kind(error: Exception) -> str:
    """Return the name of an error of a backend, each of which has its own for a lack of memory."""
    names = {"ResourceExhaustedError", "OutOfMemoryError"}
    return "RESOURCE_EXHAUSTED" if type(error).__name__ in names else str(error)[:200]


class _ClosedPipeError(Exception):
    """Nobody reads the output any more; click has its own way with the `BrokenPipeError`."""


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _ClosedPipeError from error


def _interrupt_again(unraisable: Any) -> None:
    """Repeat a Ctrl-C that came in a callback of the garbage collector, where Python drops it."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        threading.Timer(0.1, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)


def _interrupted() -> int:
    """Say that Ctrl-C ended the program, and return its exit status."""
    with suppress(ValueError):  # where this is not the main thread
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one ends the waiting at exit
    click.echo("Interrupted.", err=True)
    return INTERRUPTED


def _forget_stdout() -> None:
    """Discard the rest of the buffer of stdout."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    "keras-osnet",
    cls=_Application,
    commands=_COMMANDS,
    package="keras_osnet.cli",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def application() -> None:
    """OSNet, the omni-scale network for person re-identification.

    \b
    keras-osnet quickstart                          train, export and test, offline
    keras-osnet weights                             list the published weights
    keras-osnet evaluate --data DIR --weights TAG   rank-1 and mAP on your images
    keras-osnet embed DIR --weights TAG -o OUT.npz  compute a vector for every image
    keras-osnet train few_people --data DIR -o RUN  fine-tune on people of your own
    keras-osnet convert IN.pth OUT.keras            convert from torch to Keras and back
    """
