"""Half precision in an architecture becomes float32, and nothing else changes."""

import pytest

from converter.networks.keras_model import in_float32


@pytest.mark.parametrize(
    "dtype",
    [
        "float16",
        "bfloat16",
        "mixed_float16",
        {"class_name": "Policy", "config": {"name": "mixed_float16"}},
        {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_bfloat16"}, "shared_object_id": 7},
    ],
)
def test_layers_of_half_precision_compute_in_float32(dtype: object):
    saved = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"dtype": dtype}}]}}
    wanted = {
        "class_name": "Sequential",
        "config": {"layers": [{"class_name": "Dense", "config": {"dtype": "float32"}}]},
    }
    before = repr(saved)
    assert in_float32(saved) == wanted
    assert repr(saved) == before, "what was given is not edited"


def test_other_types_and_other_words_stay_as_they_are():
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
    layers = [{"dtype": "uint8"}, {"dtype": None}, {"dtype": policy}, {"name": "float16"}, {"units": 7}]
    assert in_float32({"config": layers}) == {"config": layers}
