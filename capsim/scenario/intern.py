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
        content = _content(template)
        known = self._key_of.get(content)
        if known is None:
            known = self._key_of[content] = self._free(name)
            self.templates[known] = template
        return known

    def keep(self, key: str, template: Template) -> str:
        """As `key`, but the template stays under this very key wherever that is free."""
        if key in self.templates:
            return self.key(template, key)
        self.templates[key] = template
        self._key_of.setdefault(_content(template), key)
        return key

    def _free(self, name: str) -> str:
        if name not in self.templates:
            return name
        number = 2
        while f"{name}#{number}" in self.templates:
            number += 1
        return f"{name}#{number}"


def _content(template: Template) -> str:
    return template.model_dump_json(exclude_defaults=True)
