"""Faces and datasets."""
