"""A release's outcome as a message to Slack, through an incoming webhook.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks: the URL is the secret,
and stands in no message, error or log of ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient

from airlock.errors import AirlockError
from airlock.gcp.credentials import is_loopback
from airlock.kit.retry import Backoff, call

if TYPE_CHECKING:
    from collections.abc import Mapping

_MARKS = {"promoted": "✅", "rolled-back": "⏪", "waiting": "⏸️", "held": "⏸️", "in-progress": "🚚"}
_OTHER = "❌"
_TIMEOUT = 10
_OK, _TOO_MANY, _SERVER_ERROR = 200, 429, 500
_LONGEST = 2900
"""Characters of a section's text, of which Slack takes 3,000."""


class _BusyError(Exception):
    """Slack asks to try again later, or did not answer."""


def message(service: str, verdict: str, reason: str, links: Mapping[str, str]) -> dict[str, Any]:
    """Return the message: its text, for notifications, and the blocks that are shown.

    Args:
        service: The service.
        verdict: How its release ended.
        reason: Why, in plain words.
        links: Addresses by what they are called; empty ones are left out.
    """
    title = f"{_MARKS.get(verdict, _OTHER)} {service}: {verdict}"
    named = [f"<{url}|{_plain(name)}>" for name, url in links.items() if url]
    blocks: list[dict[str, Any]] = [
        _section(f"*{_plain(title)}*\n{_plain(reason)[:_LONGEST]}"),
        *([_section(" · ".join(named))] if named else []),
    ]
    # Shown in notifications only, and read for mentions all the same.
    text = f"{title}: {reason}" if reason else title
    return {"text": _plain(text)[:_LONGEST], "blocks": blocks}


def send(url: str, content: Mapping[str, Any], backoff: Backoff | None = None) -> None:
    """Send a message to the webhook at `url`.

    Raises:
        AirlockError: It is no webhook, refuses the message, or does not answer.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https" or (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    )
    if not secure or not parts.hostname:
        raise AirlockError(
            "not a webhook's address", where="webhook", fix="It begins with https://"
        )
    client = WebhookClient(url, timeout=_TIMEOUT)

    def once() -> int:
        try:
            status = client.send_dict(dict(content)).status_code
        except (SlackClientError, OSError) as error:
            # urllib's own errors hold the address, their reasons do not.
            cause = getattr(error, "reason", error)
            said = getattr(cause, "strerror", None) or type(error).__name__
            raise _BusyError(said) from None
        if status == _TOO_MANY or status >= _SERVER_ERROR:
            raise _BusyError(str(status))
        return status

    try:
        status = call(once, on=(_BusyError,), backoff=backoff or Backoff(first=1.0, deadline=30.0))
    except _BusyError as error:
        raise AirlockError(f"Slack cannot be reached ({error})", fix="Retry later") from None
    if status != _OK:
        raise AirlockError(
            f"Slack refused the message ({status})", fix="Renew the incoming webhook"
        )


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _plain(text: str) -> str:
    """Return `text` with nothing that Slack would take for a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
