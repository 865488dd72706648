"""Parameters of images and starts: data/platforms/images.csv and start.csv."""

from __future__ import annotations

from capsim.stack.parameters import Parameter, fact


def start(applies_to: str, name: str) -> Parameter:
    """A step of a start."""
    return fact("start", applies_to, name)


def of_images(applies_to: str, name: str) -> Parameter:
    """A parameter of building, pushing and pulling."""
    return fact("images", applies_to, name)
