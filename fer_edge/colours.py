"""One colour for each expression, the same in video, page and pictures.

After Okabe and Ito (2008), "Color Universal Design": told apart with every common kind of colour blindness; fear's is
darkened and neutral's is a grey, because the set has seven colours and black.
"""

from fer_edge.emotions import EMOTIONS

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


def bgr(colour: str) -> Bgr:
    """`#rrggbb` as OpenCV takes it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return blue, green, red


BGR = {emotion: bgr(HEX[emotion]) for emotion in EMOTIONS}
NOTHING_HELD = bgr(NOTHING_HELD_HEX)
