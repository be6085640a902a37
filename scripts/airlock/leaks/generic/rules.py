"""The rules of generic findings: one per kind, so that each can be switched off by itself."""

from __future__ import annotations

from airlock.leaks.ruleset.model import Rule


def _rule(name: str, title: str, rotate: str) -> Rule:
    return Rule(id=name, title=title, tier="warn", confidence=0.8, rotate=rotate)


PASSWORD = _rule(
    "generic-password",
    "Password",
    "Set a new password wherever this one is used, then load it from a secret store",
)
SECRET = _rule(
    "generic-secret",
    "Secret or credential",
    "Issue a new secret at the service that it is for, then revoke this one",
)
TOKEN = _rule(
    "generic-token",
    "Token",
    "Revoke the token at the service that issued it, then create another and load it at run time",
)
KEY = _rule(
    "generic-key",
    "API key or encryption key",
    "Create a new key, re-encrypt or re-sign what the old one protects, then retire the old one",
)
URL = _rule(
    "url-credentials",
    "Credentials in a URL",
    "Change that user's password, then pass user and password apart from the URL",
)
BASIC = _rule(
    "basic-auth",
    "HTTP basic authentication",
    "Change that user's password; Base64 hides nothing",
)
BEARER = _rule(
    "bearer-token",
    "Authorization header with a token",
    "Revoke the token at the service that issued it, then read the header from the environment",
)
SQL = _rule(
    "sql-password",
    "Password in an SQL statement",
    "Change the account's password in the database, then hand it over as a parameter",
)
SHELL = _rule(
    "shell-password",
    "Password on a command line",
    "Change the password; a command line also shows in the process list and the shell's history",
)
CONNECTION = _rule(
    "connection-string",
    "Connection string with a password or key",
    "Change the account's password or roll its key, then build the connection string at run time",
)
HASH = _rule(
    "password-hash",
    "Password hash",
    "Choose a new password; a published hash can be guessed offline",
)
SALT = _rule(
    "salt",
    "Salt, nonce or seed",
    "Generate a new one at run time; a fixed one makes what it protects predictable",
)

RULES: tuple[Rule, ...] = (
    PASSWORD,
    SECRET,
    TOKEN,
    KEY,
    URL,
    BASIC,
    BEARER,
    SQL,
    SHELL,
    CONNECTION,
    HASH,
    SALT,
)
