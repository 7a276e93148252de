"""`keras-osnet gallery info`, `delete`, `compact`, `index` and `export`."""

import dataclasses
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import click

from keras_osnet.cli import gallery as group
from keras_osnet.cli import options, outputs
from keras_osnet.cli.console import echo, print_facts, print_json, waiting

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@click.command("info")
@group.place
@options.as_json
def info(place: str, as_json: bool) -> None:
    """Describe a gallery: rows, people, cameras, times, size."""
    from keras_osnet.gallery import Gallery

    with Gallery.open(place) as gallery:
        facts = gallery.info()
    times = {name: getattr(facts, name) for name in ("first", "last")}
    if as_json:
        texts = {name: time and time.isoformat() for name, time in times.items()}
        print_json(dataclasses.asdict(facts) | texts)
        return
    known = [(name, time.isoformat(sep=" ")) for name, time in times.items() if time]
    size = [] if facts.bytes is None else [("size", f"{facts.bytes / 1e6:,.1f} MB")]
    print_facts(
        [
            ("rows", f"{facts.rows:,}"),
            ("vectors", f"{facts.dim} numbers each, float16"),
            ("model", facts.model),
            ("people", f"{facts.people:,} names"),
            ("cameras", ", ".join(facts.cameras) or "not known"),
            *([("sites", ", ".join(facts.sites))] if facts.sites else []),
            *known,
            ("columns", ", ".join(facts.columns)),
            ("index", "none" if facts.indexed is None else f"{facts.indexed:,} rows"),
            *size,
        ]
    )


def _age(_: click.Context, __: click.Parameter, text: str | None) -> str | timedelta | None:
    """Return an age, such as 72h or 30d; other texts are times."""
    match = re.fullmatch(r"(\d{1,6})([hdw])", text or "")
    return text if match is None else timedelta(**{_UNITS[match[2]]: int(match[1])})


@click.command("delete")
@group.place
@click.option(
    "--older-than", metavar="TIME|AGE", callback=_age, help="Earlier rows: a time, or 72h, 30d, 8w."
)
@click.option("--person", multiple=True, metavar="NAME", help="Rows of a person. Repeatable.")
@click.option("--key", multiple=True, metavar="KEY", help="Single rows. Repeatable.")
def delete(
    place: str, older_than: str | timedelta | None, person: Sequence[str], key: Sequence[str]
) -> None:
    """Delete rows that meet all conditions.

    Their content is on the disk until `gallery compact` removes it.

    \b
    keras-osnet gallery delete people.lance --older-than 72h
    keras-osnet gallery delete people.lance --person "Ann Example"
    """
    if older_than is None and not person and not key:
        raise click.UsageError("Give --older-than, --person or --key.")
    from keras_osnet.gallery import Gallery

    with Gallery.open(place) as gallery:
        deleted = gallery.delete(older_than=older_than, person=person or None, key=key or None)
    echo(f"Deleted {deleted:,} rows; `keras-osnet gallery compact {place}` removes their content")


@click.command("compact")
@group.place
@click.option(
    "--alone",
    is_flag=True,
    help="No other process is writing: also remove files that killed writers left.",
)
def compact(place: str, alone: bool) -> None:
    """Remove the content of deleted rows from the disk, and merge small files."""
    from keras_osnet.gallery import Gallery

    with Gallery.open(place) as gallery, waiting("Compacting …"):
        gallery.compact(alone=alone)
    echo(f"Compacted {place}")


@click.command("index")
@group.place
def index(place: str) -> None:
    """Index the vectors for `gallery search --approximate`, and measure its recall."""
    from keras_osnet.gallery import Gallery

    with Gallery.open(place) as gallery, waiting("Indexing …"):
        recall = gallery.build_index()
    echo(f"Indexed {place}: it finds {100 * recall:.1f} % of the 50 nearest rows")


@click.command("export")
@group.place
@outputs.output_file(".parquet", text="File to write; replaced if it exists.")
def export(place: str, output: Path) -> None:
    """Write all rows to a Parquet file, which `gallery add` reads."""
    from keras_osnet.gallery import Gallery

    with Gallery.open(place) as gallery:
        rows = gallery.export(output)
    echo(f"Wrote {output}: {rows:,} rows")
