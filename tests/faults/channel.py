"""A gRPC channel without a network: google-cloud-run's own client on one end, the stand-in's calls
on the other, and between them a place where everything can go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from airlock.sandbox.cloud_run.calls import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Callable


class CallError(grpc.RpcError):
    """What a failed call raises in the client."""

    def __init__(self, code: Any, details: str) -> None:
        super().__init__(details)
        self._code, self._details = code, details

    def code(self) -> Any:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[Any, ...]:
        return ()

    def result(self, timeout: float | None = None) -> Any:
        """Raise itself: interceptors treat a failed call as its own outcome."""
        del timeout
        raise self


class Channel(grpc.Channel):
    """Hands every call to `handle(method, request, timeout)`, which returns the answer or raises.

    Requests and answers pass as bytes, so that neither side can change the other's messages.
    """

    def __init__(self, handle: Callable[[str, Any, float], Any]) -> None:
        self._handle = handle

    def unary_unary(
        self,
        method: str,
        request_serializer: Any = None,
        response_deserializer: Any = None,
        _registered_method: Any = None,
    ) -> Any:
        return _Callable(
            self._handle, method.rpartition("/")[2], request_serializer, response_deserializer
        )

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    stream_unary = stream_stream = unary_stream

    def subscribe(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    unsubscribe = subscribe

    def close(self) -> None:
        pass


class _Callable:
    def __init__(self, handle: Any, method: str, serialize: Any, deserialize: Any) -> None:
        self._handle, self._method = handle, method
        self._serialize, self._deserialize = serialize, deserialize

    def __call__(self, request: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        return self.with_call(request, timeout, **kwargs)[0]

    def with_call(self, request: Any, timeout: float | None = None, **_: Any) -> Any:
        message = REQUESTS[self._method].FromString(self._serialize(request))
        answer = self._handle(self._method, message, timeout or 60.0)
        return self._deserialize(answer.SerializeToString()), None
