"""Builds the template table of a scenario so that equal templates are kept once."""

from __future__ import annotations

from capsim.scenario.unit import Template


class TemplateTable:
    """Gives each distinct template one readable key.

    >>> table = TemplateTable()
    >>> table.key(Template(), "shop/web"), table.key(Template(), "shop/api")
    ('shop/web', 'shop/web')
    """

    def __init__(self) -> None:
        self.templates: dict[str, Template] = {}
        self._key_of: dict[str, str] = {}

    def key(self, template: Template, name: str) -> str:
        """The key of this template; `name` is used (numbered if taken) when it is new."""
        content = template.model_dump_json(exclude_defaults=True)
        known = self._key_of.get(content)
        if known is None:
            known = self._key_of[content] = self._free(name)
            self.templates[known] = template
        return known

    def _free(self, name: str) -> str:
        if name not in self.templates:
            return name
        number = 2
        while f"{name}#{number}" in self.templates:
            number += 1
        return f"{name}#{number}"
