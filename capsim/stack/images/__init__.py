"""Images and starts: what a Dockerfile builds, how nodes pull it, how long until it answers.

image = cs.image("Dockerfile")
cs.pull(image, {"cold": 20, "base": 80}).explain()
cs.start_up(image, replicas=3, service="LoadBalancer").table
"""

from capsim.stack.images.estimate import image, image_of, sized_image
from capsim.stack.images.platforms import PLATFORMS, boot_time
from capsim.stack.images.registry import Links, Pull, pull
from capsim.stack.images.result import Image
from capsim.stack.images.start import compare_starts, start_up
from capsim.stack.images.store import Stored, stored
from capsim.stack.images.timeline import Starts, StartUp

__all__ = [
    "PLATFORMS",
    "Image",
    "Links",
    "Pull",
    "StartUp",
    "Starts",
    "Stored",
    "boot_time",
    "compare_starts",
    "image",
    "image_of",
    "pull",
    "sized_image",
    "start_up",
    "stored",
]
