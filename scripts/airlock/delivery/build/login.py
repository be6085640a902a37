"""A login to Google's registries as fresh as the push that needs it.

Where nobody but the federated identity itself logs in, google-github-actions/auth has a token of
ten minutes, and a build may take longer. The job's credentials file makes another one.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

from airlock.gcp.credentials import access_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_IDENTITY = "GOOGLE_APPLICATION_CREDENTIALS"

# https://cloud.google.com/artifact-registry/docs/docker/authentication: nobody else gets a token.
_GOOGLE = re.compile(r"(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z]+\.)?gcr\.io)")
_USER = "oauth2accesstoken"


def login(reference: str, folder: Path, environ: Mapping[str, str]) -> Path | None:
    """Write a file with a login for one push; None where we have none to give.

    Args:
        reference: Where the image goes.
        folder: Where to write it; nobody else may read what is there.
        environ: The environment.

    Raises:
        AirlockError: The environment's identity is refused, or nobody answers.
    """
    host = reference.partition("/")[0]
    if not environ.get(_IDENTITY) or not _GOOGLE.fullmatch(host):
        return None
    pair = base64.b64encode(f"{_USER}:{access_token()}".encode()).decode()
    path = folder / "login.json"
    path.touch(0o600)
    path.write_text(json.dumps({"auths": {host: {"auth": pair}}}))
    return path
