"""The learning curves: a whole picture at any time, and a live one only where there is a notebook."""

import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from converter.train.history import Row, best, draw_curves, live_curves, write_history

FIRST = Row(1, 0.001, 1.9, 0.25, 1.8, 0.31, 10.0)
SECOND = Row(2, 0.002, 1.5, 0.40, 1.6, 0.44, 10.0)
THIRD = Row(3, 0.0, 1.2, 0.55, 1.7, 0.44, 10.0)


def test_the_best_epoch_is_the_first_of_equals() -> None:
    assert best([FIRST, SECOND, THIRD]) is SECOND
    assert best([]) is None


def test_history_is_a_csv_with_a_row_an_epoch(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", [FIRST, SECOND])
    assert (tmp_path / "history.csv").read_text().splitlines() == [
        "epoch,rate,loss,accuracy,val_loss,val_accuracy,seconds",
        "1,0.001,1.9,0.25,1.8,0.31,10.0",
        "2,0.002,1.5,0.4,1.6,0.44,10.0",
    ]


def test_every_epoch_changes_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "curves.png"
    pictures = []
    for rows in ([FIRST], [FIRST, SECOND], [FIRST, SECOND, THIRD]):
        draw_curves(rows, 3, "nano", path)
        pictures.append(cv2.imread(str(path)))
    assert all(picture is not None for picture in pictures)
    assert (pictures[0] != pictures[1]).any()
    assert (pictures[1] != pictures[2]).any()
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_drawn_before_the_first_epoch(tmp_path: Path) -> None:
    draw_curves([], 3, "nano", tmp_path / "curves.png")
    assert list(tmp_path.iterdir()) == []


def test_outside_a_notebook_nothing_is_drawn_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert live_curves() is None
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert live_curves() is None


def test_in_a_notebook_livelossplot_gets_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    class ZMQInteractiveShell:
        """Stand-in with the name of a Jupyter kernel's shell."""

    class PlotLosses:
        """livelossplot's, as far as it is used."""

        def __init__(self) -> None:
            drawn.append(self)
            self.rows: list[dict[str, float]] = []
            self.steps: list[int | None] = []
            self.sent = 0

        def update(self, logs: dict[str, float], current_step: int | None = None) -> None:
            self.rows.append(logs)
            self.steps.append(current_step)

        def send(self) -> None:
            self.sent += 1

    drawn: list[PlotLosses] = []
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=ZMQInteractiveShell))
    monkeypatch.setitem(sys.modules, "livelossplot", SimpleNamespace(PlotLosses=PlotLosses))
    live = live_curves()
    assert live is not None
    live(FIRST)
    live(SECOND)
    (plot,) = drawn
    assert plot.rows[1] == {"loss": 1.5, "accuracy": 0.40, "val_loss": 1.6, "val_accuracy": 0.44}
    assert plot.steps == [FIRST.epoch, SECOND.epoch]
    assert plot.sent == 2


def test_a_notebook_without_livelossplot_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    class ZMQInteractiveShell:
        """Stand-in with the name of a Jupyter kernel's shell."""

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=ZMQInteractiveShell))
    monkeypatch.setitem(sys.modules, "livelossplot", None)
    assert live_curves() is None
