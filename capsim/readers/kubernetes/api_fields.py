"""Fields of the Kubernetes API that capsim knows of but does not read, so as to tell typos.

Source: Kubernetes API 1.34 (core/v1, apps/v1, batch/v1).
"""

from __future__ import annotations

_LISTED = """
container: args command env envFrom imagePullPolicy lifecycle livenessProbe readinessProbe
  resizePolicy restartPolicyRules securityContext startupProbe stdin stdinOnce tty
  terminationMessagePath terminationMessagePolicy volumeDevices volumeMounts workingDir
pod: activeDeadlineSeconds automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks
  ephemeralContainers hostAliases hostIPC hostPID hostUsers hostname hostnameOverride
  imagePullSecrets os readinessGates restartPolicy securityContext serviceAccount
  serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain
  terminationGracePeriodSeconds workloadRef
volume: configMap secret projected downwardAPI csi nfs image
replicas: minReadySeconds paused podManagementPolicy progressDeadlineSeconds rollbackTo
  revisionHistoryLimit persistentVolumeClaimRetentionPolicy serviceName strategy updateStrategy
  templateGeneration
job: activeDeadlineSeconds backoffLimit backoffLimitPerIndex managedBy manualSelector
  maxFailedIndexes podFailurePolicy podReplacementPolicy successPolicy ttlSecondsAfterFinished
cron: concurrencyPolicy failedJobsHistoryLimit schedule startingDeadlineSeconds
  successfulJobsHistoryLimit timeZone
"""


def _parsed(text: str) -> dict[str, frozenset[str]]:
    parts = text.replace("\n  ", " ").strip().splitlines()
    return {name: frozenset(rest.split()) for name, _, rest in (p.partition(":") for p in parts)}


NOT_READ = _parsed(_LISTED)
"""By part of an object: the fields that pass unread."""
