"""`keras-osnet resume`: going on with a training that was interrupted."""

from pathlib import Path

import click

from keras_osnet.cli import options
from keras_osnet.cli.keras_import import import_keras
from keras_osnet.cli.training_command import TrainingCommand, TrainingFolder
from keras_osnet.cli.training_run import print_report, read_all, run


@click.command("resume")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options.as_json
def command(folder: Path, as_json: bool) -> None:
    """Go on with a training that was interrupted.

    DIR is what `train` got by -o. It goes on from the end of the last whole epoch. Trainings that
    are finished are not repeated; if all are, the result is printed again.

    \b
    keras-osnet resume run
    """  # noqa: D301 - \b is click's mark of lines to leave alone
    place = TrainingFolder(folder)
    asked = place.read_command()
    done = place.read_result()
    if done is not None:
        print_report(done, folder, as_json=as_json)
        return
    _check_data(asked, folder)
    import_keras()
    from keras_osnet.training import distributed

    with distributed(asked.distribution):
        recipe = place.read_recipe(asked)
        datasets, targets = read_all(asked, recipe)
        run(asked, recipe, datasets, targets, place, as_json=as_json)


def _check_data(asked: TrainingCommand, folder: Path) -> None:
    """Raise FileNotFoundError if what was trained on, or is to be tested on, is gone."""
    for option, paths in (("data", asked.sources.data), ("target", asked.targets.values())):
        for path in paths:
            if not Path(path).exists():
                raise FileNotFoundError(
                    f"--{option} of the training in {folder} is not there any more. "
                    f"Received: {path}"
                )
