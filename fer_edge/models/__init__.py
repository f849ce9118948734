"""The networks that ship, each with its card beside it. They were trained by this repository's own converter."""
