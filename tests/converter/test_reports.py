"""The HTML page: what is put in comes out, and nothing that is text becomes markup."""

import base64
from pathlib import Path

import pytest

from converter.reports import Report
from fer_edge.errors import UserError


def test_text_is_never_markup() -> None:
    report = Report("a < b & c")
    report.add_heading("<script>", level=3)
    report.add_text("x > y")
    report.add_table(["<th>"], [['"quoted" & <b>']])
    page = report.html()
    assert "<title>a &lt; b &amp; c</title>" in page
    assert "<h3>&lt;script&gt;</h3>" in page
    assert "<p>x &gt; y</p>" in page
    assert "&quot;quoted&quot; &amp; &lt;b&gt;" in page
    assert "<script" not in page


def test_columns_of_numbers_are_flush_right_and_words_are_not() -> None:
    report = Report("t")
    report.add_table(
        ["name", "faces", "share", "time"], [["nano", "3,589", "65.6 %", "0.24 ms"], ["1 of 2", "-", "", "7"]]
    )
    page = report.html()
    assert '<th class="number">faces</th><th class="number">share</th><th class="number">time</th>' in page
    assert "<td>nano</td>" in page
    assert "<td>1 of 2</td>" in page


def test_a_picture_is_inside_the_page() -> None:
    report = Report("t")
    report.add_figure(b"\x89PNG...", 'what "it" shows')
    page = report.html()
    inside = base64.b64encode(b"\x89PNG...").decode()
    assert f"data:image/png;base64,{inside}" in page
    assert 'alt="what &quot;it&quot; shows"' in page
    assert "<figcaption>what &quot;it&quot; shows</figcaption>" in page


def test_chapters_are_listed_where_there_are_several() -> None:
    report = Report("t")
    report.add_heading("One")
    assert "<nav>" not in report.html()
    report.add_heading("Two")
    assert '<a href="#chapter-2">Two</a>' in report.html()
    assert '<h2 id="chapter-2">Two</h2>' in report.html()


def test_a_report_replaces_the_older_one_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("older")
    Report("newer").write(path)
    assert "newer" in path.read_text()
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        Report("t").write(tmp_path / "file" / "report.html")
