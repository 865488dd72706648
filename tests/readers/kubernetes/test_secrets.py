"""Which secrets a pod holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import capsim as cs
from capsim.readers.kubernetes import secrets

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: n}
spec:
  serviceAccountName: robot
  imagePullSecrets: [{name: pull}]
  volumes:
    - {name: a, secret: {secretName: mounted}}
    - {name: b, projected: {sources: [{secret: {name: projected}}, {serviceAccountToken: {}}]}}
    - {name: c, configMap: {name: not-secret}}
  initContainers:
    - name: i
      envFrom: [{secretRef: {name: all-of-it}}, {configMapRef: {name: not-secret}}]
  containers:
    - name: c
      env:
        - {name: A, value: plain}
        - {name: B, valueFrom: {secretKeyRef: {name: one-key, key: k}}}
        - {name: C, valueFrom: {configMapKeyRef: {name: not-secret, key: k}}}
"""


def test_secrets_are_found_wherever_a_pod_takes_them_from(tmp_path: Path):
    (tmp_path / "pod.yaml").write_text(POD)
    (found,) = cs.read(tmp_path / "pod.yaml").templates.values()
    assert found.secrets == ("all-of-it", "mounted", "one-key", "projected", "pull")
    assert found.service_account_name == "robot"


def test_pods_that_differ_in_their_secrets_alone_have_templates_of_their_own(tmp_path: Path):
    other = POD.replace("name: p,", "name: q,").replace("secretName: mounted", "secretName: x")
    (tmp_path / "pods.yaml").write_text(f"{POD}---\n{other}")
    read = cs.read(tmp_path / "pods.yaml")
    assert len(read.templates) == 2


def test_a_pod_without_a_token_carries_no_account():
    spec = {"serviceAccountName": "robot", "automountServiceAccountToken": False}
    assert secrets.account(spec) == ""


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"volumes": None, "containers": "x", "imagePullSecrets": [1, None, {"name": 3}]},
        {"volumes": [{"secret": []}, {"projected": {"sources": {}}}, {"secret": {}}]},
        {"containers": [{"env": [{"valueFrom": "x"}], "envFrom": 3}], "serviceAccountName": 7},
    ],
)
def test_what_the_api_would_refuse_names_no_secret(spec: dict[str, Any]):
    assert secrets.named(spec) == []
    assert secrets.account(spec) == ""
