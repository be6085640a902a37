"""The page of a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from airlock.delivery.build.layout import Image, instruction
from airlock.delivery.build.report import guilty

IMAGE = Image(
    Path("image"), "sha256:0", 2, 0, ("/bin/sh -c #(nop) ADD file:0123456789 in / ", "RUN make x")
)


@pytest.mark.parametrize(
    ("made_by", "text"),
    [
        ("COPY --chown=1:1 key.txt /app/ # buildkit", "COPY --chown=1:1 key.txt /app/"),
        ("RUN |2 A=b c C=d /bin/sh -c rm  /x && ls # buildkit", "RUN rm /x && ls"),
        ("|1 A=b /bin/sh -c ls", "RUN ls"),
        ("RUN |1 A=b python -c x # buildkit", "RUN …"),
        ("/bin/sh -c ls", "RUN ls"),
        ("/bin/sh -c #(nop) COPY multi:0123456789abcdef in /app/ ", "COPY … /app/"),
        ("WORKDIR /app", "WORKDIR /app"),
        (f"RUN /bin/sh -c {'x' * 200}", f"RUN {'x' * 76}…"),
        ("", ""),
    ],
)
def test_an_instruction_is_read_from_the_history(made_by: str, text: str) -> None:
    assert instruction(made_by) == text


def test_the_layers_that_hold_something_are_named_by_what_made_them() -> None:
    paths = ["layer 2 (sha256:1)!app/key", "layer 2 (sha256:1)!b", "layer 9 (sha256:1)!a", "config"]
    assert guilty(IMAGE, paths, shown=True) == ((2, "RUN make x"),)
    assert guilty(IMAGE, ["layer 1 (sha256:0)!a", *paths], shown=False) == (
        *((1, "ADD …"), (2, "RUN …")),
    )
