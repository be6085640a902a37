"""What kind of file a name belongs to, for what a bare word means in it."""

from __future__ import annotations

import functools
import re
from typing import Literal

Kind = Literal["code", "config", "docs", "other"]

_CODE = (
    "asm c cc cjs clj cljs cls coffee cpp cs css cxx d dart elm erl ex exs fs go gradle graphql"
    " groovy h hh hpp hrl hs ino java jl js jsx kt kts less lua m mjs ml mm nim pas php pl pm"
    " proto py pyi pyx r rb rs s sass scala scss sol svelte swift ts tsx vb vue zig"
)
_CONFIG = (
    "bash bat cfg cmd cnf conf config dist dotenv editorconfig env hcl htpasswd ini json"
    " json5 local mk netrc npmrc pgpass plist properties ps1 pypirc sample service sh template"
    " tfvars toml yaml yml zsh"
)
_DOCS = "adoc csv htm html ipynb log markdown md rst tex txt"
_KINDS: tuple[tuple[Kind, str], ...] = (("code", _CODE), ("config", _CONFIG), ("docs", _DOCS))
_BY_SUFFIX = {suffix: kind for kind, suffixes in _KINDS for suffix in suffixes.split()}
_CONFIG_NAMES = ("dockerfile", "makefile", ".env", "jenkinsfile")


_TRANSLATED = re.compile(
    r"(?i)(?:^|[/_.-])(?:messages?|locales?|i18n|l10n|lang|translations?)[/_.-]"
)


@functools.lru_cache(maxsize=1024)
def translated(path: str) -> bool:
    """Return whether a file most likely holds texts of a user interface."""
    return _TRANSLATED.search(path) is not None


@functools.lru_cache(maxsize=1024)
def kind(path: str) -> Kind:
    """Return what kind of file `path` names; a member of an archive stands behind ``!``."""
    name = path.rsplit("/", 1)[-1].rsplit("!", 1)[-1].lower()
    if name.startswith(_CONFIG_NAMES):
        return "config"
    return _BY_SUFFIX.get(name.rsplit(".", 1)[-1], "other")
