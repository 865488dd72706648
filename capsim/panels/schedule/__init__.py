"""Will it schedule? The panel of nodes drained, requests changed, more units, a zone lost."""

from capsim.panels.schedule.panel import WillItSchedule, will_it_schedule

__all__ = ["WillItSchedule", "will_it_schedule"]
