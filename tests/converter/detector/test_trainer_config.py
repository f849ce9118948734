"""Values of a detector's configuration that are refused before any photo is read."""

import pytest

from converter.detector.trainer import DetectorConfig
from fer_edge.errors import UserError


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"rate": float("nan")}, "rate must be a number, got nan"),
        ({"rate": 0.0}, "rate must be above 0, got 0"),
        ({"decay": float("inf")}, "decay must be a number, got inf"),
        ({"decay": -0.1}, "decay must be 0 or more"),
        ({"warmup_epochs": float("nan")}, "warmup_epochs must be a number, got nan"),
        ({"averaged": 2.0}, "averaged must be between 0 and 1"),
        ({"epochs": 0}, "epochs must be 1 or more"),
        ({"width": 100}, "width must be a multiple of 32, got 100"),
    ],
)
def test_a_setting_outside_its_range_is_refused(settings: dict[str, float], word: str) -> None:
    with pytest.raises(UserError, match=word):
        DetectorConfig(**settings)  # type: ignore[arg-type]


def test_usual_settings_are_taken() -> None:
    assert DetectorConfig(rate=1e-4, decay=0.0, warmup_epochs=0.5, averaged=0.0).steps == 100  # 3200 scenes by 32
