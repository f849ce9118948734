"""A frame with its faces marked: a box, what is held of the face or why nothing is, and its seven scores as bars."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fer_edge.emotions import EMOTIONS
from fer_edge.types import Box, FaceState, Image, Outcome

Bgr = tuple[int, int, int]
HEX = {
    "angry": "#d55e00",
    "disgust": "#009e73",
    "fear": "#9467bd",
    "happy": "#e6b800",
    "sad": "#0072b2",
    "surprise": "#56b4e9",
    "neutral": "#9a9a9a",
}
NOTHING_HELD_HEX = "#d8d8d8"  # a face of which nothing is believed
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_PX = 22.0  # height of a capital of FONT at scale 1, with its thickness
REFERENCE_PX = 480  # a picture of this height gets letters of TEXT_PX
TEXT_PX = 11.0
LEAST_TEXT_PX = 9.0
DARK: Bgr = (24, 24, 24)
LIGHT: Bgr = (245, 245, 245)
VEIL = 0.45  # how much of the picture shows through the panel of bars
LEAST_BAR_FACE = 0.09  # of the picture's height: smaller faces get no bars, which would hide their neighbours
REASONS = {
    Outcome.ARRIVING: "arriving",
    Outcome.UNSURE: "unsure",
    Outcome.DWELL: "unsure",
}


def bgr(colour: str) -> Bgr:
    """`#rrggbb` as OpenCV takes it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return blue, green, red


BGR = {emotion: bgr(HEX[emotion]) for emotion in EMOTIONS}

NOTHING_HELD = bgr(NOTHING_HELD_HEX)


@dataclass(frozen=True, slots=True)
class Brush:
    """Sizes in pixels that go with a picture's height."""

    text_px: float
    line_px: int

    @property
    def scale(self) -> float:
        """OpenCV's font scale."""
        return self.text_px / FONT_PX


def annotate(image: Image, verdicts: Sequence[FaceState]) -> Image:
    """A copy of ``image``, (h, w, 3) uint8 BGR, with a mark for each verdict; largest faces are drawn first."""
    picture = image.copy()
    height = picture.shape[0]
    pen = Brush(max(LEAST_TEXT_PX, TEXT_PX * height / REFERENCE_PX), max(1, round(height / 270)))
    width = picture.shape[1]
    taken = [verdict.box.scaled(width, height) for verdict in verdicts]
    for verdict in sorted(verdicts, key=lambda one: -one.box.w * one.box.h):
        _draw_face(picture, verdict, pen, taken)
    return picture


def words(verdict: FaceState) -> str:
    """What is written above a face: `3 happy 93 %`, `3 unsure`, `3 too small`."""
    if verdict.emotion is not None:
        said = f"{verdict.emotion} {100 * verdict.confidence:.0f} %"
    else:
        said = REASONS.get(verdict.outcome, verdict.outcome.value.replace("_", " "))
    return f"{verdict.face} {said}"


def placard(width: int, height: int, lines: Sequence[str]) -> Image:
    """A dark picture that says something in place of one: the camera is lost."""
    picture = np.full((height, width, 3), DARK, np.uint8)
    pen = Brush(max(LEAST_TEXT_PX, 1.5 * TEXT_PX * height / REFERENCE_PX), 1)
    step = round(2.2 * pen.text_px)
    for number, line in enumerate(lines):
        text_width = cv2.getTextSize(line, FONT, pen.scale, 1)[0][0]
        at = (max(8, (width - text_width) // 2), height // 2 + round((number - len(lines) / 2 + 0.5) * step))
        cv2.putText(picture, line, at, FONT, pen.scale, LIGHT, 1, cv2.LINE_AA)
    return picture


def _draw_face(picture: Image, verdict: FaceState, pen: Brush, taken: list[Box]) -> None:
    """``taken`` are the places, in pixels, that bars must leave free; theirs is added."""
    height, width = picture.shape[:2]
    box = verdict.box.scaled(width, height)
    colour = NOTHING_HELD if verdict.emotion is None else BGR[verdict.emotion]
    corners = (round(box.x), round(box.y)), (round(box.x + box.w), round(box.y + box.h))
    cv2.rectangle(picture, *corners, DARK, pen.line_px + 2)
    cv2.rectangle(picture, *corners, colour, pen.line_px)
    _draw_label(picture, box, words(verdict), colour, pen)
    scored = verdict.outcome in (Outcome.HELD, Outcome.UNSURE, Outcome.DWELL, Outcome.ARRIVING)
    if scored and box.h >= LEAST_BAR_FACE * height:
        _draw_bars(picture, box, verdict, pen, taken)


def _draw_label(picture: Image, box: Box, text: str, colour: Bgr, pen: Brush) -> None:
    """The label above the box, below it where there is no room, never outside the picture."""
    height, width = picture.shape[:2]
    pad = round(0.4 * pen.text_px)
    tall = round(pen.text_px + 2 * pad)
    wide = cv2.getTextSize(text, FONT, pen.scale, 1)[0][0] + 2 * pad
    left = int(np.clip(box.x, 0, max(0, width - wide)))
    top = box.y - tall if box.y >= tall else box.y + box.h
    top = int(np.clip(top, 0, max(0, height - tall)))
    cv2.rectangle(picture, (left, top), (left + wide, top + tall), colour, cv2.FILLED)
    ink = DARK if _luminance(colour) > 110 else LIGHT  # noqa: PLR2004 - half way between the two in perceived light
    cv2.putText(picture, text, (left + pad, top + tall - pad), FONT, pen.scale, ink, 1, cv2.LINE_AA)


def _draw_bars(picture: Image, box: Box, verdict: FaceState, pen: Brush, taken: list[Box]) -> None:
    """Seven bars beside the box, on whichever side hides no face and no other bars; left out where both would."""
    height, width = picture.shape[:2]
    text_px = pen.text_px * 0.8
    scale, row = text_px / FONT_PX, round(1.5 * text_px)
    names = max(cv2.getTextSize(emotion, FONT, scale, 1)[0][0] for emotion in EMOTIONS)
    gap, bar = round(0.5 * text_px), round(4.5 * text_px)
    wide, tall = names + bar + 3 * gap, row * len(EMOTIONS) + gap
    y = int(np.clip(box.y, 0, max(0, height - tall)))
    sides = (round(box.x + box.w) + gap, round(box.x) - gap - wide)
    free = [x for x in sides if x >= 0 and x + wide <= width and not _hides(Box(x, y, wide, tall), taken)]
    if not free:
        return
    x = free[0]
    taken.append(Box(x, y, wide, tall))
    part = picture[y : y + tall, x : x + wide]
    part[:] = (part * VEIL + np.array(DARK) * (1.0 - VEIL)).astype(np.uint8)
    for number, (emotion, score) in enumerate(zip(EMOTIONS, verdict.scores, strict=True)):
        base = y + gap // 2 + number * row
        cv2.putText(picture, emotion, (x + gap, base + row - gap), FONT, scale, LIGHT, 1, cv2.LINE_AA)
        start = x + names + 2 * gap
        end = start + round(bar * float(score))
        cv2.rectangle(picture, (start, base + gap // 2), (start + bar, base + row - gap // 2), (70, 70, 70), 1)
        cv2.rectangle(picture, (start, base + gap // 2), (end, base + row - gap // 2), BGR[emotion], cv2.FILLED)


def _hides(panel: Box, taken: Sequence[Box]) -> bool:
    """Whether a panel lies over one of these places."""
    return any(
        min(panel.x + panel.w, one.x + one.w) > max(panel.x, one.x)
        and min(panel.y + panel.h, one.y + one.h) > max(panel.y, one.y)
        for one in taken
    )


def _luminance(colour: Bgr) -> float:
    """Perceived light, 0 to 255 (ITU-R BT.601)."""
    blue, green, red = colour
    return 0.114 * blue + 0.587 * green + 0.299 * red
