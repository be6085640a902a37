"""``smoke-test`` against private services, whose ID tokens come from the IAM stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract.release import Lab, lab

if TYPE_CHECKING:
    from collections.abc import Iterator

INVOKER = "    invoker: probe@p.iam.gserviceaccount.com\n"
SUITE = f"{INVOKER}    smoke:\n      suite: smoke\n      timeout: 60s\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab"), private=True) as found:
        yield found


@pytest.fixture(scope="module")
def service(shop: Lab) -> str:
    outcome = shop.release("shop", shop.image("good"), config=shop.configure("shop", INVOKER))
    assert outcome.result == "promoted", outcome.reason
    return "shop"


def suite(shop: Lab, text: str) -> None:
    (shop.root / "smoke").mkdir(exist_ok=True)
    (shop.root / "smoke" / "test_it.py").write_text(text)


def test_routes_of_a_private_service_are_asked_with_its_own_audience(
    shop: Lab, service: str
) -> None:
    shop.configure(service, INVOKER)
    code, output = shop.run("smoke-test", "--service", service)
    assert code == 0
    assert "tests=2" in output


def test_a_private_service_without_an_invoker_is_explained(shop: Lab, service: str) -> None:
    shop.configure(service)
    code, output = shop.run("smoke-test", "--service", service)
    assert code == 2
    assert "name an `invoker`" in output


def test_the_suite_reaches_the_service_and_sees_no_credential(shop: Lab, service: str) -> None:
    shop.configure(service, SUITE)
    (shop.root / "pytest.ini").write_text("[pytest]\naddopts = --cov=shop\n")
    suite(
        shop,
        "import os\n"
        "ALLOWED = {'PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ',\n"
        "           'PYTEST_CURRENT_TEST', 'PYTEST_VERSION', 'PYTEST_DISABLE_PLUGIN_AUTOLOAD'}\n"
        "def test_service(service, service_url):\n"
        "    answer = service.get('/health')\n"
        "    assert answer.status_code == 200\n"
        "    assert answer.request.headers['Authorization'].startswith('Bearer ')\n"
        "    assert answer.request.headers['User-Agent'].startswith('airlock-probe/')\n"
        "    assert not service_url.endswith('/')\n"
        "def test_environment():\n"
        "    assert set(os.environ) <= ALLOWED, sorted(os.environ)\n"
        "    assert os.listdir(os.environ['HOME']) is not None\n",
    )
    secret = "gh" + "p_" + "0" * 36
    code, output = shop.run(
        "smoke-test",
        *("--service", service),
        GITHUB_TOKEN=secret,
        GOOGLE_APPLICATION_CREDENTIALS="/nowhere.json",
        ACTIONS_ID_TOKEN_REQUEST_TOKEN=secret,
    )
    (shop.root / "pytest.ini").unlink()
    assert code == 0, output
    assert "tests=2" in output


def test_a_failing_suite_is_told_by_name_and_without_the_token(shop: Lab, service: str) -> None:
    shop.configure(service, SUITE)
    suite(
        shop,
        "def test_price(service):\n"
        "    header = service.get('/health').request.headers['Authorization']\n"
        "    assert header == 'nothing'\n",
    )
    code, output = shop.run("smoke-test", "--service", service)
    assert code == 1
    assert "test_price" in output
    assert "Bearer ***" in output
    assert "eyJ" not in output


def test_a_tag_that_is_not_there_is_refused(shop: Lab, service: str) -> None:
    shop.configure(service, INVOKER)
    code, output = shop.run("smoke-test", "--service", service, "--tag", "green")
    assert code == 2
    assert "no tag 'green'" in output


def test_what_has_no_url_is_refused_at_once(shop: Lab) -> None:
    shop.release("never", shop.crashing("crash"))
    shop.configure("never")
    code, output = shop.run("smoke-test", "--service", "never")
    assert code == 2
    assert "the service has no URL" in output
    code, output = shop.run("smoke-test", "--service", "never", "--url", "never.example")
    assert code == 2
    assert "never.example: not a URL. It begins with https://" in output
