"""`keras-osnet resume`: resume a training that was interrupted."""

from pathlib import Path

import click

from keras_osnet.cli import options
from keras_osnet.cli._training import print_report, read_datasets, run
from keras_osnet.cli._training_request import TrainingRequest
from keras_osnet.cli.console import import_keras


@click.command("resume")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options.as_json
def command(folder: Path, as_json: bool) -> None:
    """Resume a training that was interrupted.

    DIR is the --output of `train`. The training resumes at the end of the last whole epoch.
    Finished trainings are not repeated; if all are finished, the result is printed again.

    \b
    keras-osnet resume run
    """
    from keras_osnet.training.run_folder import RunFolder

    place = RunFolder(folder)
    request = TrainingRequest.from_record(place)
    report = place.read_record().get("report")
    if report is not None:
        print_report(report, folder, as_json=as_json)
        return
    _check_data(request, folder)
    import_keras()
    from keras_osnet.training import distributed

    with distributed(request.distribution):
        recipe = request.make_recipe()
        datasets, targets = read_datasets(request, recipe)
        run(request, recipe, datasets, targets, place, as_json=as_json)


def _check_data(request: TrainingRequest, folder: Path) -> None:
    """Raise FileNotFoundError if training or test data do not exist any more."""
    for option, paths in (("data", request.sources.data), ("target", request.targets.values())):
        for path in paths:
            if not Path(path).exists():
                raise FileNotFoundError(
                    f"--{option} of the training in {folder} does not exist any more. "
                    f"Received: {path}"
                )
