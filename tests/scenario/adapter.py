"""Adapter for the replay player: neutral settings of a scenario as a resolverd configuration.

Kept here so that it follows the configuration; see docs/resolverd.yaml.5.
"""
import os

import yaml

from adapters import base


def endpoint(address):
    """addr:port with IPv6 in brackets."""
    return f"[{address}]:53" if ":" in address else f"{address}:53"


class Adapter(base.Adapter):
    default_binary = "resolverd"
    fake_monotonic = True       # TTLs are counted on the monotonic clock

    def prepare(self, settings, workdir):
        s = settings
        config = {
            "listen": [endpoint(s.listen)],
            "workers": 1,
            "answer-non-recursive": s.answer_non_recursive,
            "special-zones": s.local_zones,
            # Nothing outlives a scenario, and two at a time do not meet.
            "control": {"socket": os.path.join(workdir, "control.sock")},
            "cache": {"path": os.path.abspath(workdir), "memory": "64M", "disk": "off", "min-ttl": s.cache_min_ttl, "max-ttl": s.cache_max_ttl,
                      "max-negative-ttl": s.cache_max_negative_ttl},
            "dnssec": self.dnssec(s),
            "resolution": {
                "qname-minimization": "relaxed" if s.qname_minimisation else "off",
                "ipv4": s.ipv4,
                "ipv6": s.ipv6,
                # The servers of a scenario stand on this machine, some at private addresses.
                "do-query": ["0.0.0.0/0", "::/0"],
                "do-not-query": [] if s.query_localhost else ["127.0.0.0/8", "::1"],
                "prime": True,      # falls back to the hints where priming fails
                "harden-glue": s.harden_glue,
                # The player lets real time pass where its clients wait on a clock of their own.
                "client-timeout": "10s",
            },
            "forward-zones": [self.zone(zone, s, forward=True) for zone in s.forward_zones],
            "stub-zones": [self.zone(zone, s) for zone in s.stub_zones],
            "local-zones": self.local_zones(s),
            "serve-stale": self.serve_stale(s),
            # As the scenarios mean it: one question in the last tenth of the TTL is enough.
            "prefetch": {"enabled": s.prefetch, "min-hits": 1, "remaining": "10%"},
            "log": {"level": "debug"},
        }
        if s.root_hints:
            config["root-hints"] = self.write(workdir, "root.hints", self.hints_zone(s))
        # Without a key: ede (always), tcp_upstream outside of forward and stub zones.
        path = self.write(workdir, "resolverd.yaml", yaml.safe_dump(config, sort_keys=False))
        return [os.path.abspath(self.binary), "--config", path, "--foreground"]

    def dnssec(self, s):
        result = {
            "enabled": s.dnssec,
            "accept-sha1": True,    # most scenarios were signed long ago
            "trust-anchors": [self.short_record(anchor) for anchor in s.trust_anchors],
            "negative-trust-anchors": list(s.negative_trust_anchors),
        }
        if s.aggressive_nsec is not None:
            result["aggressive-nsec"] = s.aggressive_nsec
        return result

    @staticmethod
    def local_zones(s):
        """Built-in zones that a scenario switches off: `local-zone: NAME nodefault`."""
        words = [value.split() for key, value in s.unbound_options if key == "local-zone"]
        return [{"name": name, "action": "transparent"} for name, *action in words
                if action == ["nodefault"]]

    @staticmethod
    def serve_stale(s):
        result = {"enabled": s.serve_stale,
                  "answer-after": f"{s.serve_stale_client_timeout_ms}ms",
                  "ttl": s.serve_stale_reply_ttl}
        if s.serve_stale_ttl:
            result["max-age"] = s.serve_stale_ttl
        return result

    @staticmethod
    def short_record(record):
        """`owner TYPE rdata`, without TTL and class."""
        owner, *words = record.split()
        while words[0].isdigit() or words[0].upper() == "IN":
            words.pop(0)
        return " ".join([owner] + words)

    @staticmethod
    def zone(zone, s, forward=False):
        # A zone is validated as any other unless the scenario says otherwise.
        result = {"name": zone.name, "insecure": False,
                  "servers": [endpoint(address) for address in zone.servers],
                  "transport": "tcp" if zone.tcp or s.tcp_upstream else "udp"}
        if forward:
            result["fallback"] = zone.first
        return result
