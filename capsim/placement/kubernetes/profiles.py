"""Which profile schedules a unit: the one of the scheduler that its template names."""

from __future__ import annotations

from collections.abc import Iterable

from capsim.scenario import SchedulerProfile, Template


class Profiles:
    """The profiles of one scheduler configuration; the first of a name counts."""

    def __init__(self, profiles: Iterable[SchedulerProfile]) -> None:
        by_name: dict[str, SchedulerProfile] = {}
        for profile in profiles:
            by_name.setdefault(profile.scheduler_name, profile)
        self.all = tuple(by_name.values())
        self._number = {name: number for number, name in enumerate(by_name)}

    def number(self, template: Template) -> int:
        """Place of the profile that a template asks for; -1: none here schedules it."""
        return self._number.get(template.scheduler_name, -1)

    def of(self, template: Template) -> SchedulerProfile:
        """The profile that a template asks for; the first where none here schedules it."""
        return self.all[max(0, self.number(template))]
