"""Options for what a command writes, which is refused before the work if it cannot be written."""

import tempfile
from pathlib import Path
from typing import Any

import click

from keras_osnet._utils.optional import check_installed

_READ = {"data", "query", "gallery", "images", "calibration"}
"""Parameters of commands that are folders of images."""

_WRITTEN = ("output", "figure")
"""Parameters of commands that are files or folders to write."""


def output_file(
    *suffixes: str,
    text: str,
    name: str = "--output",
    required: bool = True,
    needs: tuple[str, str, str] | None = None,
) -> Any:
    """Return an option of a file to write, which is refused before the work if it cannot be.

    Args:
        suffixes: Those that the file may have.
        text: The help.
        name: Of the option; `--output` is `-o` as well.
        required: Whether the option is.
        needs: The optional package that writes it, as arguments of `check_installed`.
    """

    def check(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
        if path is None:
            return None
        if path.suffix.lower() not in suffixes:
            raise click.BadParameter(f"must end in {', '.join(suffixes)}. Received: {path}")
        if needs is not None:
            check_installed(*needs)
        return writable(path)

    return click.option(
        *(["-o"] if name == "--output" else []),
        name,
        required=required,
        type=click.Path(dir_okay=False, path_type=Path),
        callback=check,
        metavar=f"FILE{suffixes[0]}" if len(suffixes) == 1 else "FILE",
        help=text,
    )


def writable(path: Path) -> Path:
    """Return a file's path if its folder exists and can be written to.

    Raises:
        click.BadParameter: It does not exist, or cannot be written to.
    """
    if not path.parent.is_dir():
        raise click.BadParameter(f"must be in a folder that exists. Received: {path}")
    _check_writable(path.parent, path)
    return path


def _check_writable(folder: Path, path: Path) -> None:
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise click.BadParameter(
            f"must be in a folder that can be written to: {error.strerror}. Received: {path}"
        ) from error


def output_folder(text: str, **settings: Any) -> Any:
    """Return an option `--output DIR` that is refused before the work if it cannot be written.

    Args:
        text: The help.
        settings: Of `click.option`: a default, or that it is required.
    """

    def check(_: click.Context, __: click.Parameter, path: Path) -> Path:
        return creatable(path)

    return click.option(
        "-o",
        "--output",
        type=click.Path(file_okay=False, path_type=Path),
        callback=check,
        metavar="DIR",
        help=text,
        **settings,
    )


def creatable(folder: Path) -> Path:
    """Return the path of a folder that exists or can be created, and can be written to.

    Raises:
        click.BadParameter: It is not such a path.
    """
    parents = (folder.absolute(), *folder.absolute().parents)
    existing = next(each for each in parents if each.exists())
    if not existing.is_dir():
        raise click.BadParameter(f"must not be in or at a file. Received: {folder}")
    _check_writable(existing, folder)
    return folder


def check_output(context: click.Context) -> None:
    """Raise click.BadParameter if what a command writes would be among the images it reads.

    The next run would read it, too. Figures that are not images (.svg, .pdf) may be there.
    """
    for parameter in context.command.params:
        output = context.params.get(parameter.name or "")
        if parameter.name not in _WRITTEN or not isinstance(output, Path):
            continue
        if isinstance(parameter.type, click.Path) and (
            not parameter.type.file_okay or output.suffix.lower() == ".png"
        ):
            _check_apart(output, parameter, context)


def _check_apart(output: Path, parameter: click.Parameter, context: click.Context) -> None:
    for name in _READ & context.params.keys():
        given = context.params[name]
        for each in given if isinstance(given, tuple | list) else [given]:
            if isinstance(each, Path) and each.is_dir():
                read, written = each.resolve(), output.resolve()
                if read == written or read in written.parents:
                    raise click.BadParameter(
                        f"must not be in the folder of images that are read, {each}: it would be "
                        f"taken for one of them the next time. Received: {output}",
                        context,
                        parameter,
                    )
