"""What code of the caller's repository gets to see of our environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSED_ON = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    # By this mark the runner finds, and ends, what a killed step leaves behind.
    "RUNNER_TRACKING_ID",
)
"""All that such code may need. Allowed by name: a list of what is secret is never complete."""


def scrubbed(environ: Mapping[str, str], home: str) -> dict[str, str]:
    """Return the environment of the caller's code: a few harmless variables, and an empty home.

    The real home holds gcloud's and other tools' credentials.
    """
    kept = {name: environ[name] for name in PASSED_ON if name in environ}
    return {**kept, "HOME": home, "TMPDIR": home}
