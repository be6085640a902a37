"""Holding requests and answers against GitHub's published OpenAPI description.

The description is OpenAPI 3.0, whose schemas are JSON Schema draft 4 with `nullable` added. It is
part of the npm package ``@octokit/openapi``; checking needs `jsonschema`, which only tests install.
"""

from __future__ import annotations

import functools
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import referencing
from aiohttp import web
from jsonschema import Draft4Validator, FormatChecker, validators
from jsonschema.exceptions import best_match

from airlock.sandbox.github.gate import template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from aiohttp.typedefs import Handler

_ROOT = "urn:github"

# Every endpoint may answer these, whether its entry says so or not:
# https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
_ANYWHERE = frozenset({"401", "403", "404", "429", "500", "502", "503"})
_ERROR = {"$ref": f"{_ROOT}#/components/schemas/basic-error"}

_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _date_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@_FORMATS.checks("uri", raises=ValueError)
def _uri(value: object) -> bool:
    # GitHub's own defaults for links are empty.
    return not isinstance(value, str) or value == "" or bool(urlsplit(value).scheme)


def _nullable(keyword: Any) -> Any:
    """Return a keyword that lets null pass where its schema says ``nullable: true``."""

    def check(validator: Any, value: Any, instance: Any, schema: Mapping[str, Any]) -> Any:
        if instance is None and schema.get("nullable"):
            return ()
        return keyword(validator, value, instance, schema) or ()

    return check


_Validator = validators.extend(  # type: ignore[no-untyped-call] # its stubs lack this one
    Draft4Validator,
    {name: _nullable(keyword) for name, keyword in Draft4Validator.VALIDATORS.items()},
)


class Description:
    """GitHub's description, read once.

    Args:
        path: ``api.github.com.json``.
    """

    def __init__(self, path: Path) -> None:
        self._contents, self._registry = _read(path)

    def check_value(self, schema: Mapping[str, Any], value: Any) -> Iterator[str]:
        """Yield what is wrong with `value`, at most one line."""
        validator = _Validator(schema, registry=self._registry, format_checker=_FORMATS)
        error = best_match(validator.iter_errors(value))
        if error:
            yield f"{error.json_path}: {error.message[:300]}"

    def check_component(self, name: str, value: Any) -> list[str]:
        """Return what is wrong with `value` as the schema of that name, e.g. a webhook's."""
        return list(self.check_value({"$ref": f"{_ROOT}#/components/schemas/{name}"}, value))

    def check_exchange(self, exchange: Exchange) -> list[str]:
        """Return what is wrong with a request and its answer."""
        where = f"{exchange.method} {exchange.template or exchange.path}"
        operation = self._contents["paths"].get(exchange.template, {}).get(exchange.method.lower())
        if operation is None:
            return [f"{where}: not in the description, or not in the stand-in"]
        found = [*self._request(operation, exchange), *self._response(operation, exchange)]
        return [f"{where}: {line}" for line in found]

    def _request(self, operation: dict[str, Any], exchange: Exchange) -> Iterator[str]:
        declared = {(p["in"], p["name"]): p for p in map(self._follow, operation["parameters"])}
        given = {
            **{("path", name): value for name, value in exchange.arguments.items()},
            **{("query", name): value for name, value in exchange.query.items()},
        }
        for (place, name), value in given.items():
            parameter = declared.get((place, name))
            if parameter is None:
                yield f"{place} parameter {name} is not described"
                continue
            schema = self._follow(parameter["schema"])
            for line in self.check_value(schema, _typed(schema, value)):
                yield f"{place} parameter {name}: {line}"
        for key, parameter in declared.items():
            if parameter.get("required") and key not in given:
                yield f"{key[0]} parameter {key[1]} is missing"
        if exchange.succeeded and "requestBody" in operation:
            schema = self._schema(operation["requestBody"])
            for line in self.check_value(schema, exchange.document or {}):
                yield f"request body: {line}"
            for name in (exchange.document or {}).keys() - self._properties(schema):
                yield f"request body: {name} is not described"

    def _response(self, operation: dict[str, Any], exchange: Exchange) -> Iterator[str]:
        status = str(exchange.status)
        described = operation["responses"].get(status)
        if described is None and status not in _ANYWHERE:
            yield f"status {status} is not described"
            return
        content = self._follow(described) if described else {}
        schema = self._schema(content) if "content" in content else _ERROR
        if exchange.answer is None:
            if "content" in content:
                yield f"status {status}: no body"
            return
        for line in self.check_value(schema, exchange.answer):
            yield f"status {status}: {line}"

    def _properties(self, schema: dict[str, Any]) -> set[str]:
        """Return the names that a schema or any of its alternatives knows."""
        found = self._follow(schema)
        parts = [part for key in ("allOf", "anyOf", "oneOf") for part in found.get(key, ())]
        return set(found.get("properties", ())).union(*map(self._properties, parts))

    def _schema(self, holder: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON schema of a body."""
        media = self._follow(holder)["content"]
        entry = media.get("application/json") or next(iter(media.values()))
        schema: dict[str, Any] = entry["schema"]
        return schema

    def _follow(self, item: dict[str, Any] | Mapping[str, Any]) -> dict[str, Any]:
        """Return what a reference within the description stands for."""
        found: Any = item
        while "$ref" in found:
            parts = found["$ref"].partition("#/")[2].split("/")
            found = functools.reduce(lambda node, key: node[key], parts, self._contents)
        return dict(found)


class Exchange:
    """One request and its answer, as the description speaks of them."""

    def __init__(
        self, request: web.Request, prefix: str, body: bytes, response: web.StreamResponse
    ) -> None:
        self.method = request.method
        self.path = request.path
        self.template = template(request, prefix)
        self.arguments = dict(request.match_info)
        self.query = dict(request.query)
        self.document: dict[str, Any] | None = json.loads(body) if body else None
        self.status = response.status
        text = response.body if isinstance(response, web.Response) else None
        self.answer = json.loads(text) if isinstance(text, bytes) and text else None

    @property
    def succeeded(self) -> bool:
        """Whether the request was a good one; a bad one may well break its schema."""
        return self.status < 400  # noqa: PLR2004 - the first error status


class Checker:
    """Middleware that writes down every violation.

    Args:
        path: ``api.github.com.json``.
        prefix: Path of the API's root.
    """

    def __init__(self, path: Path, prefix: str) -> None:
        self.violations: list[str] = []
        self._description = Description(path)
        self._prefix = prefix

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Pass one request on, and check what came of it."""
        body = await request.read()
        response = await handler(request)
        try:
            exchange = Exchange(request, self._prefix, body, response)
        except ValueError:
            self.violations.append(f"{request.method} {request.path}: a body is not JSON")
            return response
        self.violations += self._description.check_exchange(exchange)
        return response


@functools.cache
def _read(path: Path) -> tuple[dict[str, Any], referencing.Registry[Any]]:
    """Return the description with absolute references, for schemas are checked out of its context.

    No subresources: crawling 13 MB for ids, of which there are none, would take seconds.
    """
    text = path.read_bytes()
    contents = json.loads(text.replace(b'"$ref": "#/', f'"$ref": "{_ROOT}#/'.encode()))
    resource = referencing.Specification.OPAQUE.create_resource(contents)
    return contents, referencing.Registry[Any]().with_resource(_ROOT, resource)


def _typed(schema: Mapping[str, Any], text: str) -> Any:
    """Return a parameter's text as the value that it writes."""
    kind = schema.get("type")
    if kind == "integer" and text.isdigit():
        return int(text)
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    return text
