"""recipe.json is read back: of its own network, complete, and up to the recorded epoch."""

from pathlib import Path

import pytest

from converter.provenance import is_recorded, read_provenance, training_provenance, write_provenance
from fer_edge.errors import UserError


def test_provenance_is_read_for_the_network_it_belongs_to_and_for_no_other(tmp_path: Path) -> None:
    assert training_provenance(tmp_path / "nano.keras") is None
    (tmp_path / "recipe.json").write_text('{"network": "nano", "recipe": {"epochs": 3}}')
    assert training_provenance(tmp_path / "nano.keras") == {"network": "nano", "recipe": {"epochs": 3}}
    assert training_provenance(tmp_path / "classic.keras") is None
    (tmp_path / "recipe.json").write_text("flour, water, salt")
    assert training_provenance(tmp_path / "nano.keras") is None


def test_a_result_counts_as_recorded_until_it_changes_or_the_file_is_cut(tmp_path: Path) -> None:
    assert not is_recorded(tmp_path, {"epochs_done": 1})
    write_provenance(tmp_path, {"network": "nano"}, {"epochs_done": 1})
    assert training_provenance(tmp_path / "nano.keras") == {"network": "nano", "result": {"epochs_done": 1}}
    assert is_recorded(tmp_path, {"epochs_done": 1})
    assert not is_recorded(tmp_path, {"epochs_done": 2})
    (tmp_path / "recipe.json").write_bytes((tmp_path / "recipe.json").read_bytes()[:-9])
    assert not is_recorded(tmp_path, {"epochs_done": 1})


def test_a_recipe_that_cannot_be_read_is_one_line_for_whoever_needs_it_and_nothing_for_who_does_not(tmp_path: Path):
    assert read_provenance(tmp_path) is None
    config = tmp_path / "recipe.json"
    config.write_text('{"network": "face"}')
    assert read_provenance(tmp_path) == {"network": "face"}
    for content in (b"\xff", b"[]", b"[" * 100_000):
        config.write_bytes(content)
        assert training_provenance(tmp_path / "nano.keras") is None
        with pytest.raises(UserError, match=r"recipe\.json: is no JSON object") as caught:
            read_provenance(tmp_path)
        assert "\n" not in str(caught.value)
    config.unlink()
    config.symlink_to("/dev/zero")
    assert training_provenance(tmp_path / "nano.keras") is None
    with pytest.raises(UserError, match=r"recipe\.json: cannot be read: not a regular file"):
        read_provenance(tmp_path)
