"""How what the configuration names differs from what runs; pure.

Values of environment variables that run are never shown: a secret may stand there, put there by
somebody who knew no better.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airlock.config import Span
from airlock.gcp.model import Running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.config import Settings
    from airlock.gcp.model import RevisionView, ServiceView

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_LONGEST = 60
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|[kMG]i?)?")


def differences(
    settings: Settings | None, service: ServiceView | None, serves: RevisionView | None
) -> tuple[str, ...]:
    """Return what a new revision will run with that is not so now, as in ``cpu 1 → 2``.

    Args:
        settings: What the configuration names.
        service: The service; None where there is none yet.
        serves: The revision that serves; None where none does.
    """
    if settings is None:
        return ()
    now = serves.running if serves else Running()
    return (
        *_sizes(settings, now),
        *_whole(settings, service),
        *_variables(settings, now),
        *_access(settings, now),
        *_labels(settings, service),
    )


def _sizes(settings: Settings, now: Running) -> Iterator[str]:
    if settings.cpu is not None and _amount(str(settings.cpu)) != _amount(now.cpu):
        yield _changed("cpu", now.cpu, str(settings.cpu))
    if settings.memory is not None and _amount(settings.memory) != _amount(now.memory):
        yield _changed("memory", now.memory, settings.memory)
    if settings.concurrency not in {None, now.concurrency}:
        yield _changed("concurrency", now.concurrency or "", settings.concurrency)
    if settings.timeout not in {None, now.timeout}:
        yield _changed("timeout", Span(now.timeout) if now.timeout else "", settings.timeout)


def _whole(settings: Settings, service: ServiceView | None) -> Iterator[str]:
    least, most = service.bounds if service else (0, 0)
    if settings.min_instances not in {None, least}:
        yield _changed("min-instances", least, settings.min_instances)
    if settings.max_instances not in {None, most}:
        yield _changed("max-instances", most or "", settings.max_instances)


def _variables(settings: Settings, now: Running) -> Iterator[str]:
    for name, value in settings.env.items():
        before = "a secret" if name in now.secrets else "another value" if name in now.env else ""
        if value is None:
            if before:
                yield f"env.{name} taken away"
        elif now.env.get(name) != value:
            yield _changed(f"env.{name}", before, value)
    for name, reference in settings.secrets.items():
        running = now.secrets.get(name, "")
        if _reference(running) != _reference(reference):
            before = running or ("a plain value" if name in now.env else "")
            yield _changed(f"secrets.{name}", before, reference)


def _access(settings: Settings, now: Running) -> Iterator[str]:
    if settings.service_account not in {None, now.service_account}:
        yield _changed("service-account", now.service_account, settings.service_account)
    vpc = settings.vpc
    if vpc is None:
        return
    direct = (vpc.network or "", vpc.subnetwork or "", *vpc.tags)
    network = (vpc.connector,) if vpc.connector else direct
    if any(network) and network != now.network:
        yield _changed("vpc", " ".join(filter(None, now.network)), " ".join(filter(None, network)))
    if vpc.egress not in {None, now.egress}:
        yield _changed("vpc.egress", now.egress, vpc.egress)


def _labels(settings: Settings, service: ServiceView | None) -> Iterator[str]:
    now = service.labels if service else {}
    for key, value in settings.labels.items():
        if now.get(key) != value:
            yield _changed(f"labels.{key}", now.get(key, ""), value)


def _changed(key: str, before: object, after: object) -> str:
    text = str(after)
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"{key} {before} → {shown}" if before != "" else f"{key} {shown}"


def _amount(text: str) -> float | None:
    """Return a quantity as a number (``500m`` and ``0.5`` are the same), or None for none."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    return float(match[1]) * (0.001 if match[2] == "m" else _UNITS[match[2] or ""])


def _reference(text: str) -> tuple[str, str]:
    secret, _, version = text.partition(":")
    return secret, version or "latest"
