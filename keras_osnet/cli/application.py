"""The group of all commands, and how errors, warnings and Ctrl-C come out of it."""

import importlib
import warnings
from typing import Any

import click

from keras_osnet import __version__
from keras_osnet.cli.console import INTERRUPTED, warn

_COMMANDS = (
    "quickstart",
    "models",
    "weights",
    "info",
    "convert",
    "export",
    "benchmark",
    "embed",
    "evaluate",
    "attributes",
    "train",
    "resume",
    "recipes",
    "stats",
    "visualize",
    "synthetic",
)
"""Each is a module of this room, in the order of `--help`."""


class _Application(click.Group):
    """Imports a command when it is first used, and prints errors instead of tracebacks."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module: Any = importlib.import_module(f"keras_osnet.cli.{cmd_name}")
        return module.command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except BrokenPipeError:
            raise  # `keras-osnet … | head`: click ends quietly
        except (ValueError, OSError, ImportError) as error:
            raise click.ClickException(str(error) or type(error).__name__) from error
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    warn(str(message))


@click.group(
    "keras-osnet",
    cls=_Application,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def application() -> None:
    """OSNet, the omni-scale network for person re-identification.

    \b
    keras-osnet quickstart                          train, export and see, offline
    keras-osnet weights                             what is published
    keras-osnet evaluate --data DIR --weights TAG   rank-1 and mAP on your pictures
    keras-osnet embed DIR --weights TAG -o OUT.npz  a vector for every picture
    keras-osnet train few_people --data DIR -o RUN  fine-tune on people of your own
    keras-osnet convert IN.pth OUT.keras            from torch to Keras and back
    """  # noqa: D301 - \b is click's mark of lines to leave alone
