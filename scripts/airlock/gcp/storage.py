"""Cloud Storage: files that go into a bucket and come back, by its JSON API v1.

Facts are those of https://cloud.google.com/storage/docs/json_api/v1/objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from airlock.errors import AirlockError
from airlock.gcp.credentials import STORAGE, RefusedError, endpoint, rest, session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from airlock.kit.retry import Backoff

_CHUNK = 1 << 20
_TIMEOUT = (10.0, 60.0)  # real seconds to connect, and between two pieces of a body
_PARTS = 20
_GONE = 404
_PAST_THE_END = 416
_PARTIAL = 206
_BROKEN = (
    requests.exceptions.ChunkedEncodingError,
    requests.ConnectionError,
    requests.Timeout,
)


class Bucket:
    """One bucket.

    Args:
        http: An authenticated session.
        url: Base address of the API.
        name: The bucket's name.
    """

    def __init__(self, http: requests.Session, url: str, name: str) -> None:
        self._http = http
        self._url = url
        self.name = name

    def upload(self, path: Path, name: str) -> str:
        """Make an object of a file, and return its generation.

        Raises:
            AirlockError: Refused, or unreachable.
        """
        answer = self._rest(
            "POST",
            f"{self._url}/upload/storage/v1/b/{quote(self.name, safe='')}/o",
            params={"uploadType": "media", "name": name},
            headers={"Content-Type": "application/octet-stream"},
            data=_Content(path),
        )
        try:
            return str(answer["generation"])
        except (KeyError, TypeError):
            raise AirlockError("what answered is not Cloud Storage", where=self.name) from None

    def download(self, name: str, target: Path) -> bool:
        """Write an object to a file, and tell whether there is one.

        What breaks off is carried on where it broke off, since images are large.

        Raises:
            AirlockError: Refused, unreachable, or broken off again and again.
        """
        with target.open("wb") as file:

            def write(response: requests.Response) -> bool:
                if response.status_code != _PARTIAL:
                    file.seek(0)
                    file.truncate()
                try:
                    for chunk in response.iter_content(_CHUNK):
                        file.write(chunk)
                except _BROKEN:
                    return False
                return True

            for _ in range(_PARTS):
                whole = self._read(name, file.tell(), write)
                if whole is not False:
                    return whole is not None or file.tell() > 0
        raise AirlockError("the download breaks off again and again", where=self._where(name))

    def tail(self, name: str, start: int) -> bytes:
        """Return what stands in an object from the byte `start` on; nothing if it is not there."""
        return self._read(name, start, _whole) or b""

    def delete(self, name: str, backoff: Backoff | None = None) -> None:
        """Remove an object, if it is there.

        Raises:
            AirlockError: Refused, or unreachable.
        """
        try:
            self._rest("DELETE", self._object(name), read=lambda _: None, backoff=backoff)
        except RefusedError as error:
            if error.status != _GONE:
                raise

    def _read(self, name: str, start: int, read: Any) -> Any:
        headers = {"Range": f"bytes={start}-"} if start else {}
        try:
            return self._rest(
                "GET",
                self._object(name),
                params={"alt": "media"},
                headers=headers,
                stream=True,
                read=read,
            )
        except RefusedError as error:
            if error.status not in {_GONE, _PAST_THE_END}:
                raise
            return None

    def _object(self, name: str) -> str:
        bucket = quote(self.name, safe="")
        return f"{self._url}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"

    def _where(self, name: str) -> str:
        return f"gs://{self.name}/{name}"

    def _rest(self, method: str, url: str, **arguments: Any) -> Any:
        return rest(
            self._http,
            method,
            url,
            api="Cloud Storage",
            role=f"roles/storage.objectUser on the bucket {self.name}",
            fix=f"Check that the bucket {self.name} exists",
            timeout=_TIMEOUT,
            **arguments,
        )


class _Content:
    """A file's bytes, which can be sent more than once: a second try begins anew."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __len__(self) -> int:
        return self._path.stat().st_size

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


def _whole(response: requests.Response) -> bytes:
    return response.content


def connect(environ: Mapping[str, str], name: str) -> Bucket:
    """Return a bucket at the endpoint and with the identity that `environ` gives.

    Raises:
        AirlockError: The endpoint is wrong, or there is no identity.
    """
    target = endpoint(environ, STORAGE)
    return Bucket(session(target), target.url, name)
