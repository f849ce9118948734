"""Face analysis: detection, tracking, quality filter, crop, classification."""
