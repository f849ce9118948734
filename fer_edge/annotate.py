"""Annotated frames: face boxes, labels and bars of the seven scores."""

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
NO_EXPRESSION_HEX = "#d8d8d8"  # a face without an expression
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_PX = 22.0  # height of a capital of FONT at scale 1, with its thickness
REFERENCE_PX = 480  # frame height at which letters have TEXT_PX
TEXT_PX = 11.0
LEAST_TEXT_PX = 9.0
DARK: Bgr = (24, 24, 24)
LIGHT: Bgr = (245, 245, 245)
VEIL = 0.45  # share of the frame that stays visible under the bars
LEAST_BAR_FACE = 0.09  # of the frame's height: bars of smaller faces would hide their neighbours
REASONS = {
    Outcome.ARRIVING: "arriving",
    Outcome.UNSURE: "unsure",
    Outcome.DWELL: "unsure",
}


def bgr(colour: str) -> Bgr:
    """Convert `#rrggbb` to OpenCV's BGR."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return blue, green, red


BGR = {emotion: bgr(HEX[emotion]) for emotion in EMOTIONS}

NO_EXPRESSION = bgr(NO_EXPRESSION_HEX)


@dataclass(frozen=True, slots=True)
class Brush:
    """Sizes in pixels, in proportion to the frame's height."""

    text_px: float
    line_px: int

    @property
    def scale(self) -> float:
        """OpenCV's font scale."""
        return self.text_px / FONT_PX


def annotate(image: Image, faces: Sequence[FaceState]) -> Image:
    """A copy of ``image``, (h, w, 3) uint8 BGR, with all ``faces`` drawn, the largest first."""
    image = image.copy()
    height = image.shape[0]
    brush = Brush(max(LEAST_TEXT_PX, TEXT_PX * height / REFERENCE_PX), max(1, round(height / 270)))
    width = image.shape[1]
    taken = [face.box.scaled(width, height) for face in faces]
    for face in sorted(faces, key=lambda one: -one.box.w * one.box.h):
        _draw_face(image, face, brush, taken)
    return image


def label(face: FaceState) -> str:
    """Text above a face: `3 happy 93%`, `3 unsure`, `3 too small`."""
    if face.emotion is not None:
        text = f"{face.emotion} {100 * face.confidence:.0f}%"
    else:
        text = REASONS.get(face.outcome, face.outcome.value.replace("_", " "))
    return f"{face.face} {text}"


def placard(width: int, height: int, lines: Sequence[str]) -> Image:
    """A dark image with centred text, shown while there is no frame."""
    image = np.full((height, width, 3), DARK, np.uint8)
    brush = Brush(max(LEAST_TEXT_PX, 1.5 * TEXT_PX * height / REFERENCE_PX), 1)
    step = round(2.2 * brush.text_px)
    for number, line in enumerate(lines):
        text_width = cv2.getTextSize(line, FONT, brush.scale, 1)[0][0]
        at = (max(8, (width - text_width) // 2), height // 2 + round((number - len(lines) / 2 + 0.5) * step))
        cv2.putText(image, line, at, FONT, brush.scale, LIGHT, 1, cv2.LINE_AA)
    return image


def _draw_face(image: Image, face: FaceState, brush: Brush, taken: list[Box]) -> None:
    """Draw one face; bars avoid the boxes ``taken``, in pixels, and are added to them."""
    height, width = image.shape[:2]
    box = face.box.scaled(width, height)
    colour = NO_EXPRESSION if face.emotion is None else BGR[face.emotion]
    corners = (round(box.x), round(box.y)), (round(box.x + box.w), round(box.y + box.h))
    cv2.rectangle(image, *corners, DARK, brush.line_px + 2)
    cv2.rectangle(image, *corners, colour, brush.line_px)
    _draw_label(image, box, label(face), colour, brush)
    scored = face.outcome in (Outcome.HELD, Outcome.UNSURE, Outcome.DWELL, Outcome.ARRIVING)
    if scored and box.h >= LEAST_BAR_FACE * height:
        _draw_bars(image, box, face, brush, taken)


def _draw_label(image: Image, box: Box, text: str, colour: Bgr, brush: Brush) -> None:
    """Draw the label above the box, below it if there is no room, never outside the frame."""
    height, width = image.shape[:2]
    pad = round(0.4 * brush.text_px)
    tall = round(brush.text_px + 2 * pad)
    wide = cv2.getTextSize(text, FONT, brush.scale, 1)[0][0] + 2 * pad
    left = int(np.clip(box.x, 0, max(0, width - wide)))
    top = box.y - tall if box.y >= tall else box.y + box.h
    top = int(np.clip(top, 0, max(0, height - tall)))
    cv2.rectangle(image, (left, top), (left + wide, top + tall), colour, cv2.FILLED)
    ink = DARK if _luminance(colour) > 110 else LIGHT  # noqa: PLR2004 - half way between the two luminances
    cv2.putText(image, text, (left + pad, top + tall - pad), FONT, brush.scale, ink, 1, cv2.LINE_AA)


def _draw_bars(image: Image, box: Box, face: FaceState, brush: Brush, taken: list[Box]) -> None:
    """Draw seven bars on a side of the box where they hide no face and no other bars, if there is one."""
    height, width = image.shape[:2]
    text_px = brush.text_px * 0.8
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
    part = image[y : y + tall, x : x + wide]
    part[:] = (part * VEIL + np.array(DARK) * (1.0 - VEIL)).astype(np.uint8)
    for number, (emotion, score) in enumerate(zip(EMOTIONS, face.scores, strict=True)):
        base = y + gap // 2 + number * row
        cv2.putText(image, emotion, (x + gap, base + row - gap), FONT, scale, LIGHT, 1, cv2.LINE_AA)
        start = x + names + 2 * gap
        end = start + round(bar * float(score))
        cv2.rectangle(image, (start, base + gap // 2), (start + bar, base + row - gap // 2), (70, 70, 70), 1)
        cv2.rectangle(image, (start, base + gap // 2), (end, base + row - gap // 2), BGR[emotion], cv2.FILLED)


def _hides(panel: Box, taken: Sequence[Box]) -> bool:
    """Return whether ``panel`` overlaps one of ``taken``."""
    return any(
        min(panel.x + panel.w, one.x + one.w) > max(panel.x, one.x)
        and min(panel.y + panel.h, one.y + one.h) > max(panel.y, one.y)
        for one in taken
    )


def _luminance(colour: Bgr) -> float:
    """Luminance, 0 to 255 (ITU-R BT.601)."""
    blue, green, red = colour
    return 0.114 * blue + 0.587 * green + 0.299 * red
