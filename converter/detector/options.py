"""Options that the detector's commands share."""

from pathlib import Path

import click

from converter.detector.dataset import Photo, read_photos

photos_option = click.option(
    "--photos",
    required=True,
    multiple=True,
    nargs=2,
    type=click.Path(exists=True, path_type=Path),
    metavar="COCO FOLDER",
    help="A COCO file of faces and the folder that its file names begin in; may be given several times.",
)


def read_all(photos: tuple[tuple[Path, Path], ...]) -> list[Photo]:
    """The photos of all files, one after the other."""
    return [photo for annotations, folder in photos for photo in read_photos(annotations, folder)]
