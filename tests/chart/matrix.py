"""Ways of using the chart, and ways that it refuses."""

from __future__ import annotations

from typing import Any

from tests.support.chart import IMAGE

# One entry per way of using the chart; each is linted, rendered and shown to an API server.
MATRIX: dict[str, dict[str, Any]] = {
    "defaults": {},
    "namespaced": {
        "scope": {"namespaces": ["team-a", "team-b"]},
        "settings": {"clusterID": "prod-eu"},
    },
    "namespaced-without-cluster-rights": {
        "scope": {"namespaces": ["team-a"]},
        "settings": {"clusterID": "prod-eu"},
        "crds": {"install": False},
        "rbac": {"aggregateToView": False},
    },
    "own-key": {
        "auth": {"existingSecret": "together", "existingSecretKey": "token"},
        "settings": {"defaultKeyNamespaces": ["team-a", "team-b"]},
    },
    "every-setting": {
        "settings": {
            "baseURL": "https://gateway.example.com/together/v1",
            "clusterID": "prod-eu",
            "allowedHardware": ["1x_nvidia_h100_80gb_sxm", "2x_nvidia_h100_80gb_sxm"],
            "maxReplicas": 1000000,
            "maxPricePerHour": "12.50",
            "orphanPolicy": "Stop",
            "orphanWait": 7200,
            "pollInterval": 45,
            "pollIntervalTransition": 2.5,
            "driftInterval": 1800,
            "firstAPI": "V2",
            "probe": "State",
            "workers": 8,
            "leaderElect": False,
            "logFormat": "text",
            "logLevel": "debug",
            "healthPort": 18080,
            "metricsPort": 19090,
        },
    },
    "two-replicas": {"replicas": 2, "podDisruptionBudget": {"enabled": True}},
    "no-election": {"settings": {"leaderElect": False}},
    "the-operators-own-default": {"replicas": 2, "settings": {"leaderElect": None}},
    "crd-kept-by-nobody": {"crds": {"keep": False, "annotations": {"example.com/team": "ml"}}},
    "own-account": {
        "serviceAccount": {"create": False, "name": "robot"},
        "rbac": {"create": False},
    },
    "everything-on": {
        "image": {"repository": IMAGE, "digest": f"sha256:{'a' * 64}", "pullPolicy": "Always"},
        "imagePullSecrets": [{"name": "registry"}],
        "fullnameOverride": "tep",
        "commonLabels": {"example.com/team": "ml"},
        "podLabels": {"example.com/tier": "control"},
        "podAnnotations": {"example.com/note": "yes"},
        "serviceAccount": {"annotations": {"example.com/role": "operator"}},
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}],
        "extraArgs": ["--workers=4"],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "control", "operator": "Exists"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]}
                    ]
                }
            }
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
            }
        ],
        "metrics": {"service": {"annotations": {"example.com/scrape": "true"}}},
        "serviceMonitor": {"enabled": True},
        "networkPolicy": {
            "enabled": True,
            "metricsFrom": [{"namespaceSelector": {}}],
            "egressPorts": [443, 6443, 3128],
        },
        "podDisruptionBudget": {"enabled": True},
    },
}

# Values that a person may well write, and what the refusal must name.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a typo at the top": ({"imagee": {}}, "'imagee' not allowed"),
    "a typo below": ({"settings": {"pollIntervall": 5}}, "'pollIntervall' not allowed"),
    "a key in the values": ({"auth": {"apiKey": "x"}}, "'apiKey' not allowed"),
    "a price as a float": ({"settings": {"maxPricePerHour": 12.5}}, "/settings/maxPricePerHour"),
    "a price of three decimals": (
        {"settings": {"maxPricePerHour": "12.505"}},
        "/settings/maxPricePerHour",
    ),
    "a URL without its version": (
        {"settings": {"baseURL": "https://api.example.com"}},
        "/settings/baseURL",
    ),
    "no replicas": ({"settings": {"maxReplicas": 0}}, "/settings/maxReplicas"),
    "an unknown probe": ({"settings": {"probe": "Ping"}}, "/settings/probe"),
    "a namespace pattern": ({"scope": {"namespaces": ["team-*"]}}, "/scope/namespaces/0"),
    "a list as text": ({"settings": {"allowedHardware": "a,b"}}, "/settings/allowedHardware"),
    "a hurried end": ({"terminationGracePeriodSeconds": 30}, "/terminationGracePeriodSeconds"),
    "a number as a label": ({"commonLabels": {"team": 7}}, "/commonLabels/team"),
    "a blocking budget": (
        {"podDisruptionBudget": {"enabled": True, "minAvailable": 1}},
        "'minAvailable' not allowed",
    ),
    "a digest that is a tag": ({"image": {"repository": IMAGE, "digest": "v1"}}, "/image/digest"),
    "several without an election": (
        {"replicas": 2, "settings": {"leaderElect": False}},
        "replicas is more than 1, but settings.leaderElect is off",
    ),
    "an election in words": ({"settings": {"leaderElect": "yes"}}, "/settings/leaderElect"),
    "a crowd": ({"replicas": 50}, "/replicas"),
    "namespaces without a cluster id": (
        {"scope": {"namespaces": ["team-a"]}},
        "settings.clusterID is required with scope.namespaces",
    ),
    "orphans stopped where their owner may be out of sight": (
        {
            "scope": {"namespaces": ["team-a"]},
            "settings": {"clusterID": "prod-eu", "orphanPolicy": "Stop"},
        },
        "settings.orphanPolicy: Stop cannot be used with scope.namespaces",
    ),
    "orphans deleted": ({"settings": {"orphanPolicy": "Delete"}}, "/settings/orphanPolicy"),
    "a hurried stop of orphans": ({"settings": {"orphanWait": 60}}, "/settings/orphanWait"),
    "a shared key that is not there": (
        {"settings": {"defaultKeyNamespaces": ["team-a"]}},
        "auth.existingSecret names no Secret",
    ),
    "a ServiceMonitor without its CRD": (
        {"serviceMonitor": {"enabled": True, "renderMode": "failIfMissing"}},
        "does not serve monitoring.coreos.com/v1",
    ),
    "a ServiceMonitor without its Service": (
        {"serviceMonitor": {"enabled": True}, "metrics": {"service": {"enabled": False}}},
        "needs metrics.service.enabled",
    ),
}
