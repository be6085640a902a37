"""Templates of revisions: what one runs with, and the next one, with its settings applied; pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from google.cloud import run_v2

from airlock.gcp.model import NewRevision, Running

if TYPE_CHECKING:
    from airlock.config import Settings, Vpc

_EGRESS: dict[str, Any] = {  # checkers take the members of proto-plus enums for plain integers
    "private-ranges-only": run_v2.VpcAccess.VpcEgress.PRIVATE_RANGES_ONLY,
    "all-traffic": run_v2.VpcAccess.VpcEgress.ALL_TRAFFIC,
}
_SYSTEM = ("googleapis.com", "knative.dev")


def made(current: bytes, revision: NewRevision) -> run_v2.RevisionTemplate:
    """Return the template of a new revision.

    Args:
        current: The service's own template, serialised; used where `revision` brings none.
        revision: What is to be made.
    """
    template: run_v2.RevisionTemplate = run_v2.RevisionTemplate.deserialize(
        revision.template or current
    )
    template.revision = revision.name
    if not template.containers:
        template.containers = [run_v2.Container()]
    serving = _serving(template)
    serving.image = revision.image
    labels = dict(revision.labels)
    if revision.settings is not None:
        labels = {**revision.settings.labels, **labels}
        _apply(template, serving, revision.settings)
    # Entry by entry: proto-plus cannot deep-copy a map field.
    for key, value in labels.items():
        template.labels[key] = value
    return template


def running(message: run_v2.Revision | run_v2.RevisionTemplate) -> Running:
    """Return what a revision, or one of that template, runs with."""
    if not message.containers:
        return Running()
    serving = _serving(message)
    access = message.vpc_access
    interfaces = access.network_interfaces
    network = (
        (interfaces[0].network, interfaces[0].subnetwork, *interfaces[0].tags)
        if interfaces
        else (access.connector,)
    )
    return Running(
        cpu=serving.resources.limits.get("cpu", ""),
        memory=serving.resources.limits.get("memory", ""),
        concurrency=int(message.max_instance_request_concurrency),
        timeout=message.timeout.total_seconds() if message.timeout else 0.0,
        env={each.name: each.value for each in serving.env if not _secret(each)},
        secrets={each.name: _secret(each) for each in serving.env if _secret(each)},
        service_account=message.service_account,
        network=network if any(network) else (),
        egress=next((name for name, kind in _EGRESS.items() if kind == access.egress), ""),
    )


def again(message: run_v2.Revision) -> bytes:
    """Return the serialised template that would make a revision again, under a name of its own."""
    fields = set(run_v2.RevisionTemplate.meta.fields) & set(run_v2.Revision.meta.fields)
    raw = run_v2.Revision.pb(message)
    template = run_v2.RevisionTemplate.pb(run_v2.RevisionTemplate())
    for field, value in raw.ListFields():
        if field.name not in fields:
            continue
        own = getattr(template, field.name)
        if field.message_type is None and not hasattr(own, "MergeFrom"):
            setattr(template, field.name, value)
        else:
            own.MergeFrom(value)
    for own in (template.labels, template.annotations):
        # v2 refuses what the system itself puts there.
        for key in [key for key in own if key.partition("/")[0].endswith(_SYSTEM)]:
            del own[key]
    return bytes(template.SerializeToString())


def _serving(message: run_v2.Revision | run_v2.RevisionTemplate) -> run_v2.Container:
    # Beside sidecars, the container that receives requests is the one that names a port.
    return next((each for each in message.containers if each.ports), message.containers[0])


def _secret(variable: run_v2.EnvVar) -> str:
    """Return the reference of a variable from Secret Manager; empty for a plain one."""
    found = variable.value_source.secret_key_ref
    return f"{found.secret}:{found.version or 'latest'}" if found.secret else ""


def _apply(
    template: run_v2.RevisionTemplate, serving: run_v2.Container, settings: Settings
) -> None:
    if settings.cpu is not None:
        serving.resources.limits["cpu"] = str(settings.cpu)
    if settings.memory is not None:
        serving.resources.limits["memory"] = settings.memory
    if settings.concurrency is not None:
        template.max_instance_request_concurrency = settings.concurrency
    if settings.timeout is not None:
        template.timeout = dt.timedelta(seconds=settings.timeout)
    if settings.service_account is not None:
        template.service_account = settings.service_account
    if settings.vpc is not None:
        _reach(template, settings.vpc)
    named = {**settings.env, **settings.secrets}
    kept = [each for each in serving.env if each.name not in named]
    plain = [
        run_v2.EnvVar(name=name, value=value)
        for name, value in settings.env.items()
        if value is not None
    ]
    serving.env = [*kept, *plain, *(_from(*each) for each in settings.secrets.items())]


def _from(name: str, reference: str) -> run_v2.EnvVar:
    secret, _, version = reference.partition(":")
    selector = run_v2.SecretKeySelector(secret=secret, version=version)
    return run_v2.EnvVar(name=name, value_source=run_v2.EnvVarSource(secret_key_ref=selector))


def _reach(template: run_v2.RevisionTemplate, vpc: Vpc) -> None:
    access = run_v2.VpcAccess(egress=template.vpc_access.egress)
    if vpc.egress:
        access.egress = _EGRESS[vpc.egress]
    if vpc.connector:
        access.connector = vpc.connector
    elif vpc.network or vpc.subnetwork or vpc.tags:
        access.network_interfaces = [
            run_v2.VpcAccess.NetworkInterface(
                network=vpc.network or "", subnetwork=vpc.subnetwork or "", tags=vpc.tags
            )
        ]
    else:
        # Only what goes through it is named.
        access.connector = template.vpc_access.connector
        access.network_interfaces = template.vpc_access.network_interfaces
    template.vpc_access = access
