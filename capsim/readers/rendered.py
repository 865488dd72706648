"""Sources that other tools render first: kustomizations and Helm charts."""

from __future__ import annotations

import os

from capsim.errors import Problem
from capsim.readers.estate import Content

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "kustomization")


def recipe(file: str) -> Problem | None:
    """How to render what a file of this name belongs to, if it is something to be rendered."""
    name, folder = os.path.basename(file).lower(), os.path.dirname(file) or "."
    if name in _KUSTOMIZATIONS:
        return _problem(file, "a kustomization", f"kubectl kustomize {folder}")
    if name == "chart.yaml":
        return _problem(file, "a Helm chart", f"helm template NAME {folder}")
    return None


def problem(content: Content) -> Problem | None:
    """The same by content: a kustomization under another name, or the values of a chart."""
    document = content.document
    if not isinstance(document, dict):
        return None
    if str(document.get("apiVersion", "")).startswith("kustomize.config.k8s.io"):
        folder = os.path.dirname(content.file) or "."
        return _problem(content.file, "a kustomization", f"kubectl kustomize {folder}")
    if os.path.basename(content.file).lower().startswith("values.") and "kind" not in document:
        return template_problem(content.file, "values of a Helm chart")
    return recipe(content.file)


def template_problem(file: str, found: str = "a template with {{ }} in it") -> Problem:
    """What to say of a part of a Helm chart."""
    return _problem(file, found, "helm template NAME CHART")


def _problem(file: str, found: str, command: str) -> Problem:
    return Problem(file, found, f"rendered manifests: `{command} | capsim plan -`")
