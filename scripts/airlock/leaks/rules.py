"""The catalogue: what providers document of their tokens, and the stock plugins worth keeping.

Every provider format is written from the provider's own documentation or from tokens it issues,
and blocks. What only reads like a secret (a keyword before a value, a password in a URL, a token
of a standard that examples use, too) warns. The stock entropy plugins and the one that reports
public IP addresses are left out: they flag many lines, and hardly any secret.
"""

from __future__ import annotations

import re

from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.ibm_cloud_iam import IbmCloudIamDetector
from detect_secrets.plugins.keyword import KeywordDetector

from airlock.leaks.formats_code import CLOUD, CODE
from airlock.leaks.formats_services import MESSAGES, MODELS, MONEY_AND_DATA
from airlock.leaks.pattern import provider
from airlock.leaks.rule import PrivateKey, Rule

_GENERIC = (
    Rule(
        id="private-key",
        title="Private key",
        tier="block",
        detector=PrivateKey("Private key"),
        anchors=(b"private key", b"putty-user-key-file"),
        trigger=re.compile(PrivateKey.HEAD.encode()),
        prefixes=("-----BEGIN ", "---- BEGIN ", "PuTTY-User-Key-"),
        rotate="Create another key, replace the public half everywhere, revoke certificates on it",
        reach=PrivateKey.REACH,
    ),
    provider(
        "json-web-token",
        "JSON Web Token",
        # {" in base64 is eyJ: header and payload are JSON objects (RFC 7519).
        r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{16,1000}",
        (".eyJ",),
        "Let it expire, or replace the key that signed it",
        tier="warn",
        prefixes=("eyJ",),
    ),
    Rule(
        id="ibm-cloud-key",
        title="IBM Cloud IAM key",
        tier="warn",  # any 44 characters after any name that ends in "key"
        detector=IbmCloudIamDetector(),
        anchors=(b"key", b"pwd", b"pass", b"token"),
        trigger=re.compile(rb"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{44}(?![A-Za-z0-9_-])"),
        rotate="Delete the API key under Manage, Access",
    ),
    Rule(
        id="password-in-url",
        title="Password in a URL",
        tier="warn",
        detector=BasicAuthDetector(),
        anchors=(b"://",),
        rotate="Change the password, and read it from the environment",
    ),
    Rule(
        id="keyword",
        title="Value after a secret's name",
        tier="warn",
        detector=KeywordDetector(),
        anchors=(
            *(b"apikey", b"api_key", b"authkey", b"auth_key", b"servicekey", b"service_key"),
            *(b"accountkey", b"account_key", b"dbkey", b"db_key", b"databasekey", b"database_key"),
            *(b"privkey", b"priv_key", b"privatekey", b"private_key", b"clientkey", b"client_key"),
            *(b"dbpass", b"db_pass", b"databasepass", b"database_pass", b"keypass", b"key_pass"),
            *(b"password", b"passwd", b"pwd", b"secret", "contraseña".encode(), b"contrasena"),
        ),
        rotate="Change the value where it is used, and read it from the environment",
    ),
)

RULES: tuple[Rule, ...] = (*CLOUD, *CODE, *MODELS, *MESSAGES, *MONEY_AND_DATA, *_GENERIC)
"""All rules. Where two match the same text, the earlier one reports it."""
