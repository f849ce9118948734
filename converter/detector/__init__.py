"""The face detector's training: photos with boxes -> scenes -> network -> int8 TFLite file with its card."""
