"""What every git process is told: its environment, options that override, and a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Mapping

# A child sees these and nothing else: no token of ours, and nothing that redirects git.
PASSED_ON = (
    *("PATH", "HOME", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    "GIT_INDEX_FILE",  # which git sets for a pre-commit hook of a partial commit
    *("http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
)
FIXED = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
    # Else glibc gives a blob's memory back to the system after each, and asks for it again: the
    # patches of a history take 7 % longer, most of it in the kernel (mallopt(3)).
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "67108864",
}
OVERRIDES = (
    *("core.hooksPath=/dev/null", "core.fsmonitor=false", "core.attributesFile=/dev/null"),
    *("core.quotePath=true", "core.askPass=", "core.gitProxy=", "core.alternateRefsCommand="),
    *("core.sshCommand=ssh -oBatchMode=yes", "credential.helper="),
    *("diff.external=", "diff.noPrefix=false", "diff.mnemonicPrefix=false", "diff.relative=false"),
    *("diff.suppressBlankEmpty=false", "diff.orderFile=/dev/null", "diff.ignoreSubmodules=none"),
    *("log.showRoot=true", "log.showSignature=false", "color.ui=false"),
    *("gc.auto=0", "maintenance.auto=false", "submodule.recurse=false"),
    # Everything that runs a program of the URL's choice (ext::) stays off.
    *("protocol.allow=never", "protocol.https.allow=always", "protocol.http.allow=always"),
    *("protocol.ssh.allow=always", "protocol.file.allow=always"),
    *("http.lowSpeedLimit=1000", "http.lowSpeedTime=60"),
)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return all of the caller's environment that a git process gets, and what is fixed for it."""
    return {name: environ[name] for name in PASSED_ON if name in environ} | FIXED


def server_of(environ: Mapping[str, str]) -> str:
    """Return the URL of the GitHub server that the runner names, without a slash at its end."""
    return (environ.get("GITHUB_SERVER_URL") or "https://github.com").rstrip("/")


def credentials(token: str, server: str) -> dict[str, str]:
    """Return the environment that makes git send `token` to `server`, and to nobody else.

    The empty first value drops a header that actions/checkout may have left in the repository's
    configuration: GitHub answers two ``Authorization`` headers with 400.

    Raises:
        AirlockError: The server is reached over plain HTTP, and is not this machine.
    """
    if not token:
        return {}
    import base64  # noqa: PLC0415 - most commands send no token
    import urllib.parse  # noqa: PLC0415

    url = urllib.parse.urlsplit(server)
    loopback = url.hostname in {"localhost", "127.0.0.1", "::1"}
    if url.scheme != "https" and not (url.scheme == "http" and loopback):
        raise AirlockError("not sending a token over plain HTTP", where="GITHUB_SERVER_URL")
    key = f"http.{server.rstrip('/')}/.extraheader"
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return configuration((key, ""), (key, f"AUTHORIZATION: basic {basic}"))


def configuration(*settings: tuple[str, str]) -> dict[str, str]:
    """Return the environment that gives git these settings, in this order, on top of its own."""
    entries = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings):
        entries[f"GIT_CONFIG_KEY_{number}"] = key
        entries[f"GIT_CONFIG_VALUE_{number}"] = value
    return entries


def joined(*environments: dict[str, str]) -> dict[str, str]:
    """Return one environment with the settings of several, in their order."""
    settings = [
        (one[f"GIT_CONFIG_KEY_{number}"], one[f"GIT_CONFIG_VALUE_{number}"])
        for one in environments
        for number in range(int(one.get("GIT_CONFIG_COUNT", "0")))
    ]
    return configuration(*settings)
