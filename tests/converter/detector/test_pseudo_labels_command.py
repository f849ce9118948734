"""Errors of `fer-convert label-faces`."""

from pathlib import Path

import click
import pytest

from converter.detector.pseudo_labels import command


def test_a_folder_in_place_of_the_boxes_is_a_mistake_of_usage(tmp_path: Path):
    (tmp_path / "yunet.onnx").touch()
    arguments = [str(tmp_path), "-o", str(tmp_path / "faces.json"), "--yunet", str(tmp_path / "yunet.onnx")]
    with pytest.raises(click.BadParameter, match="is a directory") as caught:
        command.main([*arguments, "--boxes", str(tmp_path)], standalone_mode=False)
    assert caught.value.exit_code == 2
