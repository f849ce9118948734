"""The seven expressions, in the order of FER-2013's label column.

Every score vector in this project has this order, whatever order a model was trained in: the model's card
names its own, and the classifier permutes once.
"""

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

# Spellings found in other people's data sets and models, all lower case.
SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "scared": "fear",
    "afraid": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "calm": "neutral",
}


def canonical(name: str) -> str | None:
    """The expression that ``name`` means, or None where it means none of the seven."""
    name = name.strip().lower()
    name = SYNONYMS.get(name, name)
    return name if name in EMOTIONS else None
