"""A loss that is no number ends a training in one line; any other goes on."""

import math

import pytest

from converter.train.history import check_loss
from fer_edge.errors import UserError


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_refused(loss: float) -> None:
    cure = f"epoch 3: the validation loss is {loss}; begin again in another folder, with a lower rate"
    with pytest.raises(UserError, match=cure):
        check_loss(3, "validation loss", loss)


def test_any_other_loss_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    check_loss(1, "loss", 0.0)
    check_loss(2, "loss", 1e30)
    assert capsys.readouterr() == ("", "")
