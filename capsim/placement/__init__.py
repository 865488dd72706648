"""Which unit runs where, what is left, and how few machines would do."""

from capsim.placement.place import place
from capsim.placement.result import Placement

__all__ = ["Placement", "place"]
