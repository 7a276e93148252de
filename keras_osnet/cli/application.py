"""The group of all commands, and how it reports errors, warnings and Ctrl-C."""

import importlib
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import click

from keras_osnet import __version__
from keras_osnet.cli.console import INTERRUPTED, warn

_COMMANDS = {
    "quickstart": "quickstart:command",
    "models": "listings:models",
    "weights": "listings:weights",
    "info": "listings:info",
    "convert": "export:convert",
    "export": "export:export",
    "benchmark": "benchmark:command",
    "embed": "embed:command",
    "evaluate": "evaluate:command",
    "attributes": "attributes:command",
    "train": "train:train",
    "resume": "train:resume",
    "recipes": "recipes:command",
    "stats": "images:stats",
    "visualize": "visualize:command",
    "synthetic": "images:synthetic",
}
"""Module of this package and name in it, in the order of `--help`."""

_RUN = f"{__name__}.run"
"""Key in click's `meta` of the command that runs and its arguments."""


class LazyGroup(click.Group):
    """A group that imports a command when it is first used.

    Args:
        commands: For each command's name, module and name in it, separated by a colon.
        package: The package that the modules are in.
    """

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
        return getattr(importlib.import_module(f"{self._package}.{module}"), name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Note which command runs, for errors: its context has ended when they are reported."""
        name, command, rest = super().resolve_command(ctx, args)
        ctx.meta[_RUN] = command, tuple(rest)  # click empties the list
        return name, command, rest


class _Application(LazyGroup):
    """Prints errors instead of tracebacks."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                # Of damaged images, without their names; what cannot be read is reported by us.
                warnings.filterwarnings("ignore", module=r"PIL\.")
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `keras-osnet … | head`: click ends quietly
        except (ValueError, OSError, ImportError) as error:
            message = str(error) or type(error).__name__
            raise click.ClickException(
                _name_option(message, *ctx.meta.get(_RUN, (None, [])))
            ) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


def _name_option(message: str, command: click.Command | None, arguments: Sequence[str]) -> str:
    """Replace the argument at the start of the library's message by its option.

    "`width` must be …" becomes "--width must be …" if --width was given, or has to be.
    """
    found = re.match(r"`(\w+)`", message)
    if command is None or found is None:
        return message
    for option in command.params:
        if isinstance(option, click.Option) and option.name == found[1]:
            given = any(each.split("=")[0] in option.opts for each in arguments)
            if given or "must be given" in message:
                return max(option.opts, key=len) + message[found.end() :]
    return message


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    warn(str(message))


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
