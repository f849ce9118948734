"""Class labels: the seven expressions, in the order of FER-2013's label column.

Every score vector in this project has this order. A model's own order is in its card, and the classifier permutes.
"""

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

# Spellings in other datasets and models, lower case.
SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "scared": "fear",
    "afraid": "fear",
    "happiness": "happy",
    "joy": "happy",
    "joyful": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "suprise": "surprise",
    "calm": "neutral",
    "natural": "neutral",
    "normal": "neutral",
}


def canonical(name: str) -> str | None:
    """Expression for the label ``name``, None if it is none of the seven."""
    name = name.strip().lower()
    name = SYNONYMS.get(name, name)
    return name if name in EMOTIONS else None
