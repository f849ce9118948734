"""What is drawn over a picture: boxes, labels and bars, for the annotated video and the live page alike."""
