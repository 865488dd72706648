"""ImageLocality: nodes that have the unit's images already are worth more.

Rule: each container's image that is on the node counts size * nodes with it / all nodes; the sum
is clamped to 23 MiB .. 1000 MiB a container and scaled to 0..100.
Source: Kubernetes 1.34, imagelocality plugin.
"""

from __future__ import annotations

from collections.abc import Sequence

from capsim.scenario import Node, Template

NAME = "ImageLocality"
_MIB = 2**20
_SMALLEST = 23 * _MIB
_LARGEST = 1000 * _MIB


class ImageSpread:
    """Size of every image, scaled by the share of nodes that have it."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        size: dict[str, int] = {}
        count: dict[str, int] = {}
        for node in nodes:
            for name in {name for image in node.images for name in image.names}:
                count[name] = count.get(name, 0) + 1
            for image in node.images:
                for name in image.names:
                    size.setdefault(name, image.size_bytes)
        self._scaled = {name: int(size[name] * (count[name] / len(nodes))) for name in size}

    def known(self, template: Template) -> frozenset[str]:
        """The template's images that are on some node."""
        return frozenset(image for image in _images(template) if image in self._scaled)

    def score(self, template: Template, present: frozenset[str]) -> int:
        """0..100 for a node on which these images are present."""
        images = _images(template)
        if not images:
            return 0
        total = sum(self._scaled[image] for image in images if image in present)
        largest = _LARGEST * len(images)
        clamped = min(max(total, _SMALLEST), largest)
        return 100 * (clamped - _SMALLEST) // (largest - _SMALLEST)


def _images(template: Template) -> list[str]:
    containers = (*template.init_containers, *template.containers)
    return [_normal(container.image) for container in containers]


def _normal(image: str) -> str:
    """The image's name with the tag that is meant when none is written."""
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"


def present(node: Node, wanted: frozenset[str]) -> frozenset[str]:
    """Those of the wanted images that the node has."""
    return frozenset(name for image in node.images for name in image.names if name in wanted)
