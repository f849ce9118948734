"""Findings of `explore` in faces made for the purpose, and its files."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from converter.data import statistics as findings
from converter.data.faces import FERPLUS, Faces
from converter.explore.command import explore, tables

PNG = b"\x89PNG\r\n\x1a\n"
VOID = {"meta", "img", "br", "link"}


def face(seed: int) -> np.ndarray:
    """A smooth picture that no other seed's is like."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 6)).astype(np.float32)
    return np.clip(cv2.resize(rough, (48, 48), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def faces(
    images: list[np.ndarray], labels: list[int], usages: list[str] | None = None, votes: list[list[int]] | None = None
) -> Faces:
    usage = np.array(usages or ["Training"] * len(images))
    return Faces(
        np.stack(images), np.array(labels), usage, np.arange(len(images)), None if votes is None else np.array(votes)
    )


def test_counts_are_of_each_split() -> None:
    found = findings.counts(faces([face(i) for i in range(4)], [3, 3, 0, 3], ["Training"] * 3 + ["PublicTest"]))
    assert {usage: of.tolist() for usage, of in found.items()} == {
        "Training": [1, 0, 0, 2, 0, 0, 0],
        "PublicTest": [0, 0, 0, 1, 0, 0, 0],
    }


def test_imbalance_is_the_largest_class_over_the_smallest() -> None:
    assert findings.imbalance(np.array([436, 7215])) == pytest.approx(16.548, abs=1e-3)
    assert findings.imbalance(np.array([0, 5])) == float("inf")


def test_a_mean_face_is_the_mean_of_its_class() -> None:
    means = findings.mean_faces(faces([np.full((48, 48), grey, np.uint8) for grey in (10, 21, 200)], [2, 2, 5]))
    assert (means[2] == 15.5).all()
    assert (means[5] == 200).all()
    assert np.isnan(means[0]).all()


def test_blank_pictures_are_found_and_are_no_duplicates_of_each_other() -> None:
    of = faces([np.zeros((48, 48), np.uint8), face(1), np.zeros((48, 48), np.uint8)], [0, 0, 1])
    assert findings.blank(of).tolist() == [0, 2]
    assert findings.exact_duplicates(of) == []
    assert findings.near_duplicates(of) == []


def test_exact_duplicates_are_grouped_and_others_are_not() -> None:
    almost = face(1).copy()
    almost[0, 0] ^= 1
    groups = findings.exact_duplicates(faces([face(1), face(2), face(1), almost, face(2), face(1)], [0] * 6))
    assert [group.tolist() for group in groups] == [[0, 2, 5], [1, 4]]


def test_every_two_faces_of_a_group_are_a_pair_in_whatever_order_they_are_read() -> None:
    # One picture, three times for training and once in PublicTest with another label: 3 pairs and 3 pairs.
    images, labels = [face(1)] * 4, [0, 0, 0, 5]
    for usages in (["Training"] * 3 + ["PublicTest"], ["PublicTest"] + ["Training"] * 3):
        of = faces(images, labels if usages[0] == "Training" else labels[::-1], usages)
        assert findings.overlaps(of, findings.exact_pairs(findings.exact_duplicates(of))) == [
            findings.Overlap(("Training", "Training"), 3, 0),
            findings.Overlap(("Training", "PublicTest"), 3, 3),
        ]


def test_the_same_photo_is_found_though_relit_shifted_or_mirrored() -> None:
    original = face(1)
    darker = (original * 0.6 + 20).astype(np.uint8)
    shifted = np.roll(original, 1, axis=1)
    mirrored = original[:, ::-1]
    pairs = findings.near_duplicates(faces([original, face(2), darker, face(3), shifted, mirrored, original], [0] * 7))
    found = {(pair.first, pair.second, pair.mirrored) for pair in pairs}
    assert {(0, 2, False), (0, 4, False), (0, 5, True), (2, 5, True)} <= found
    assert not {pair for pair in found if 1 in pair[:2] or 3 in pair[:2]}, "faces 1 and 3 are like no other"
    assert (0, 6, False) not in found, "the very same pixels are counted as exact duplicates"
    assert all(pair.correlation >= findings.NEAR for pair in pairs)


def test_pairs_are_counted_by_their_splits_and_by_their_labels() -> None:
    of = faces([face(i) for i in range(4)], [0, 1, 0, 0], ["Training", "Training", "PublicTest", "PublicTest"])
    pairs = [findings.Pair(a, b, 1.0, mirrored=False) for a, b in ((0, 1), (0, 2), (3, 1), (2, 3))]
    assert findings.overlaps(of, pairs) == [
        findings.Overlap(("Training", "Training"), 1, 1),
        findings.Overlap(("Training", "PublicTest"), 2, 1),
        findings.Overlap(("PublicTest", "PublicTest"), 1, 0),
    ]


def voted(**votes: int) -> list[int]:
    return [votes.get(name, 0) for name in FERPLUS]


def test_agreement_counts_clear_majorities_and_leaves_ties_out() -> None:
    votes = [
        voted(anger=6, neutral=4),  # angry, and they agree
        voted(neutral=7, anger=3),  # angry, and they do not
        voted(anger=5, neutral=5),  # a tie
        voted(),  # no votes
        voted(happiness=10),  # happy, and they agree
    ]
    of = faces([face(i) for i in range(5)], [0, 0, 0, 0, 3], votes=votes)
    table = findings.agreement(of)
    assert table is not None
    assert table.sum() == 3
    shares = findings.agreed(table)
    assert shares[0] == 0.5
    assert shares[3] == 1.0
    assert np.isnan(shares[1])


def test_without_votes_there_is_no_agreement_to_speak_of() -> None:
    of = faces([face(i) for i in range(2)], [0, 1])
    assert findings.agreement(of) is None
    assert [table.heading for table in tables(of, explore(of))] == ["Classes", "Duplicates"]


def test_tables_say_how_good_the_laziest_answer_is() -> None:
    of = faces([face(i) for i in range(8)], [3, 3, 3, 0, 1, 2, 4, 5])
    classes = tables(of, explore(of))[0]
    assert "always answers happy is right in 37.5%" in classes.note
    assert ("happy", "3", "37.5%") in classes.rows
    assert classes.rows[-1] == ("all", "8", "100.0%")


class Page(HTMLParser):
    """Counts tags, fails on one that is not closed, and keeps what a browser would have to fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value for name, value in attributes if name in ("src", "href") and value]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


@pytest.mark.data
def test_explore_writes_one_page_that_needs_nothing_else(fer2013_csv: Path, tmp_path: Path, convert) -> None:
    output = tmp_path / "deep/er/explore.html"
    ended = convert("explore", "--data", fer2013_csv, "-o", output)
    assert ended.returncode == 0, ended.stderr
    assert "happy\t20\t14.3%\t50\t14.3%" in ended.stdout  # 20 of 140, 50 of 350: tabs where no terminal is
    assert [path.name for path in output.parent.iterdir()] == ["explore.html"]
    page = Page(output.read_text())
    assert page.tags.count("img") >= 3
    assert "script" not in page.tags
    pictures = [source for source in page.fetched if source.startswith("data:image/png;base64,")]
    assert [source for source in page.fetched if source not in pictures and not source.startswith("#")] == []
    for picture in pictures:
        data = base64.b64decode(picture.split(",", 1)[1])
        assert data.startswith(PNG)
        drawn = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert drawn.std() > 10, "a picture shows something"
    assert not re.search(r"https?://", output.read_text())


def test_bad_data_is_one_line_and_no_report(tmp_path: Path, convert) -> None:
    bad = tmp_path / "fer2013.csv"
    bad.write_text(f"emotion,pixels,Usage\n0,{'7 ' * 2304},Training\n3,{'1 ' * 2303},Training\n")
    ended = convert("explore", "--data", bad, "-o", tmp_path / "explore.html")
    assert ended.returncode == 1
    assert ended.stderr == "fer-convert: fer2013.csv:3: 2303 pixels, expected 2304\n"
    assert not (tmp_path / "explore.html").exists()


def test_a_folder_in_the_way_of_the_report_is_one_line(tmp_path: Path, convert) -> None:
    good = tmp_path / "fer2013.csv"
    row = " ".join(str(value) for value in face(1).ravel().tolist())
    good.write_text(f"emotion,pixels,Usage\n0,{row},Training\n3,{row},PublicTest\n")
    (tmp_path / "file").touch()
    ended = convert("explore", "--data", good, "-o", tmp_path / "file/explore.html")
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"fer-convert: {tmp_path}/file/explore.html: cannot be written:")
    assert ended.stderr.count("\n") == 1
