"""The story of a training for those who come later, as it stands in recipe.json and in the network's card."""

import dataclasses
import os
import subprocess
from pathlib import Path
from typing import Any

from converter.data.faces import Faces
from converter.data.splits import HELD_OUT_NAME, HeldOut
from converter.train.history import best
from converter.train.trainer import Run
from fer_edge.labels import EMOTIONS


def data_story(path: Path, training: Faces, validation: Faces, held_out: HeldOut | None) -> dict[str, Any]:
    """What the data were, counted, for people who read the recipe later; ``held_out`` where there was no PublicTest."""

    def of_classes(faces: Faces) -> dict[str, int]:
        return dict(zip(EMOTIONS, faces.counts().tolist(), strict=True))

    return {
        "name": path.name,
        "training": {"faces": len(training), **of_classes(training)},
        "validation": {"faces": len(validation), **of_classes(validation)},
        "validation_is": HELD_OUT_NAME if held_out else "PublicTest",
        **({"held_out": held_out._asdict()} if held_out else {}),
        "ferplus_votes": training.votes is not None,
    }


def result_of(run: Run) -> dict[str, Any]:
    """How far a run of one epoch or more is, and how good."""
    top = best(run.rows)
    assert top is not None
    return {"epochs_done": len(run.rows), "finished": run.finished, "best": dataclasses.asdict(top)}


def commit() -> str | None:
    """The commit this code is of, with "+" where it was changed since; None where it is no checkout."""
    here = Path(__file__).parents[1]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603  fixed words
                ["git", "-C", os.fspath(here), *arguments],  # noqa: S607  git is where the user has it
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    if git("ls-files", "--error-unmatch", os.fspath(Path(__file__).relative_to(here))) is None:
        return None
    commit = git("rev-parse", "--short=12", "HEAD")
    return commit and commit + ("+" if git("status", "--porcelain", "--", ".") else "")
