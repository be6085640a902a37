"""Cloud Storage on loopback: objects as files, by the part of the JSON API v1 that is used here.

Speaks ``buckets.insert``, and of objects ``insert`` (``uploadType=media``), ``get`` (with ``Range``
for its content), ``list`` and ``delete``. Objects can be written past HTTP by other stand-ins.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aiohttp import web

from airlock.sandbox.google_api import GoogleApi
from airlock.sandbox.google_errors import ApiError, Code, invalid

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.sandbox.ports import Ports

_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class StorageStandIn(GoogleApi):
    """Keeps objects in folders.

    Args:
        state_dir: Holds a folder for each bucket.
        ports: Keeps the endpoint's port.

    Attributes:
        cut: How many downloads still break off halfway.
    """

    def __init__(self, state_dir: Path, ports: Ports) -> None:
        super().__init__("storage", ports)
        self._root = state_dir
        self._generation = itertools.count(1_700_000_000_000_000)
        self._generations: dict[Path, int] = {}
        self.cut = 0
        add = self.app.router.add_route
        add("POST", "/storage/v1/b", self._insert_bucket)
        add("GET", "/storage/v1/b/{bucket}/o", self._list)
        add("POST", "/upload/storage/v1/b/{bucket}/o", self._insert)
        for prefix in ("/storage/v1", "/download/storage/v1"):
            add("GET", f"{prefix}/b/{{bucket}}/o/{{object:.+}}", self._get)
        add("DELETE", "/storage/v1/b/{bucket}/o/{object:.+}", self._delete)

    def add_bucket(self, name: str) -> None:
        """Make a bucket."""
        (self._root / name).mkdir(parents=True, exist_ok=True)

    def names(self, bucket: str) -> list[str]:
        """Return the names of a bucket's objects."""
        return sorted(path.name.replace("%2F", "/") for path in self._folder(bucket).iterdir())

    def path(self, bucket: str, name: str) -> Path:
        """Return the file of an object, which may not be there.

        Raises:
            ApiError: There is no such bucket.
        """
        return self._folder(bucket) / quote(name, safe="")

    def _folder(self, bucket: str) -> Path:
        folder = self._root / bucket
        if "/" in bucket or bucket.startswith(".") or not folder.is_dir():
            raise ApiError(Code.NOT_FOUND, "The specified bucket does not exist.")
        return folder

    async def _insert_bucket(self, request: web.Request) -> web.Response:
        name = str((await request.json())["name"])
        self.add_bucket(name)
        return web.json_response({"kind": "storage#bucket", "id": name, "name": name})

    async def _insert(self, request: web.Request) -> web.Response:
        if request.query.get("uploadType") != "media" or not request.query.get("name"):
            raise invalid("The sandbox takes uploadType=media, with a name, only.")
        name = request.query["name"]
        path = self.path(request.match_info["bucket"], name)
        with path.open("wb") as file:
            async for chunk in request.content.iter_chunked(_CHUNK):
                file.write(chunk)
        self._generations[path] = next(self._generation)
        return web.json_response(self._resource(request.match_info["bucket"], name))

    async def _get(self, request: web.Request) -> web.StreamResponse:
        bucket, name = request.match_info["bucket"], request.match_info["object"]
        path = self.path(bucket, name)
        if not path.is_file():
            raise ApiError(Code.NOT_FOUND, f"No such object: {bucket}/{name}")
        if request.query.get("alt") != "media":
            return web.json_response(self._resource(bucket, name))
        content = path.read_bytes()
        start, end = 0, len(content)
        if found := _RANGE.fullmatch(request.headers.get("Range", "")):
            start = int(found[1])
            end = min(end, int(found[2]) + 1) if found[2] else end
            if start >= len(content):
                headers = {"Content-Range": f"bytes */{len(content)}"}
                return web.Response(status=416, headers=headers)
        answer = web.StreamResponse(status=206 if found else 200)
        answer.content_length = end - start
        if found:
            answer.headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        await answer.prepare(request)
        if self.cut:
            self.cut -= 1
            await answer.write(content[start : (start + end) // 2])
            if request.transport:
                request.transport.abort()
            return answer
        await answer.write(content[start:end])
        return answer

    async def _list(self, request: web.Request) -> web.Response:
        bucket, prefix = request.match_info["bucket"], request.query.get("prefix", "")
        names = [name for name in self.names(bucket) if name.startswith(prefix)]
        items = [self._resource(bucket, name) for name in names]
        return web.json_response({"kind": "storage#objects", "items": items})

    async def _delete(self, request: web.Request) -> web.Response:
        bucket, name = request.match_info["bucket"], request.match_info["object"]
        path = self.path(bucket, name)
        if not path.is_file():
            raise ApiError(Code.NOT_FOUND, f"No such object: {bucket}/{name}")
        path.unlink()
        return web.Response(status=204)

    def _resource(self, bucket: str, name: str) -> dict[str, Any]:
        path = self.path(bucket, name)
        md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).digest()
        generation = str(self._generations.get(path, 1))
        return {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{generation}",
            "name": name,
            "bucket": bucket,
            "generation": generation,
            "metageneration": "1",
            "size": str(path.stat().st_size),
            "md5Hash": base64.b64encode(md5).decode(),
        }
