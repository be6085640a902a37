"""A release that lasts longer than its credentials, under Workload Identity Federation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract.federation import Federation
from contract.release import Lab, lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airlock.delivery.rollout import Progress

REQUESTS = 12
APIS = ("CLOUD_RUN", "MONITORING", "LOGGING", "IAM")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture
def job(shop: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Federation]:
    variables = [f"AIRLOCK_{api}_ENDPOINT" for api in APIS]
    apis = {variable: shop.stack.environ[variable] for variable in variables}
    with Federation(tmp_path, apis, REQUESTS) as found:
        for name, value in found.environ.items():
            monkeypatch.setenv(name, value)
        yield found


def test_access_tokens_are_renewed_as_often_as_it_takes(shop: Lab, job: Federation) -> None:
    first = shop.release("long", shop.image("one"), environ=job.environ).plan.candidate
    before = len(job.issued)
    outcome = shop.release("long", shop.image("two"), run="2-1", environ=job.environ)
    assert outcome.result == "promoted"
    assert first not in shop.served("long")
    # Each was used up, and the next request that met the end of one was sent again.
    assert len(job.issued) - before > 2
    assert job.refused >= len(job.issued) - before - 1


def test_a_job_that_gets_no_more_tokens_says_so_and_is_settled(shop: Lab, job: Federation) -> None:
    first = shop.release("ended", shop.image("one"), environ=job.environ).plan.candidate

    def end(progress: Progress) -> None:
        job.ended = job.ended or "50 %: candidate" in str(progress)

    config = shop.configure("ended", rollout="      steps: [50, 100]\n      step-duration: 4h")
    outcome = shop.release(
        "ended", shop.image("two"), config=config, run="2-1", environ=job.environ, notify=end
    )
    assert outcome.result == "failed"
    assert "credentials refused or expired" in outcome.reason
    assert "traffic stays as it is until settle-traffic puts it right" in outcome.reason
    assert shop.served("ended")[first] == 50
    code, _ = shop.run("settle-traffic", "--service", "ended", GITHUB_RUN_ID="2")
    assert (code, shop.served("ended")) == (0, {first: 100})
