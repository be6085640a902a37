"""The pure parts of the data plane, of monitoring and of IAM."""

from __future__ import annotations

import random
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.cli.sandbox import clock_of, render
from airlock.errors import AirlockError
from airlock.sandbox.data_plane import choose, images
from airlock.sandbox.data_plane.images import ImageError, folder_of, pull, start_of
from airlock.sandbox.data_plane.request_log import (
    BUCKETS,
    GROWTH,
    SCALE,
    RequestLog,
    Series,
    bucket_of,
)
from airlock.sandbox.files import read_json, write_json
from airlock.sandbox.google_errors import ApiError
from airlock.sandbox.iam import IamStandIn
from airlock.sandbox.monitoring import delay_of, query
from airlock.sandbox.ports import HOST, Ports, _free, hold, passing_port

SERIES = Series("p", "l", "shop", "shop-v1", 200)


class TestImages:
    def test_references_are_told_from_folders(self) -> None:
        assert folder_of("file:///a%20b/c") == Path("/a b/c")
        assert folder_of("/srv/shop") == Path("/srv/shop")
        assert folder_of("./shop") == Path("shop")
        assert folder_of("docker.io/library/shop@sha256:00") is None

    def test_the_web_line_is_the_command(self, tmp_path: Path) -> None:
        text = "release: x\nweb: python main.py --name 'a b'\nweb: no\n"
        (tmp_path / "Procfile").write_text(text)
        start = start_of(tmp_path, (), ("--more",))
        assert start.argv == ("python", "main.py", "--name", "a b", "--more")
        assert start.folder == tmp_path

    def test_the_template_s_command_comes_first(self, tmp_path: Path) -> None:
        (tmp_path / "Procfile").write_text("web: no\n")
        start = start_of(tmp_path, ("yes",), ("x",), "/sub")
        assert (start.argv, start.folder) == (("yes", "x"), tmp_path / "sub")

    @pytest.mark.parametrize("text", [None, "", "worker: x\n", "web:\n"])
    def test_nothing_to_run(self, tmp_path: Path, text: str | None) -> None:
        if text is not None:
            (tmp_path / "Procfile").write_text(text)
        with pytest.raises(ImageError, match="Procfile"):
            start_of(tmp_path, (), ())

    def test_pulls_once_and_leaves_development_behind(self, tmp_path: Path) -> None:
        source = tmp_path / "shop"
        (source / ".git").mkdir(parents=True)
        (source / "main.py").write_text("1")
        copy = pull(str(source), tmp_path / "copy")
        (source / "main.py").write_text("2")
        assert pull(str(source), tmp_path / "copy") == copy
        assert (copy / "main.py").read_text() == "1"
        assert not (copy / ".git").exists()
        with pytest.raises(ImageError, match="not found"):
            pull(str(tmp_path / "none"), tmp_path / "other")
        assert pull("registry.invalid/shop", tmp_path / "empty").is_dir()
        assert images.PROCFILE == "Procfile"


class TestChoice:
    def test_nothing_routed(self) -> None:
        assert choose({}, drawn(1)) is None

    @given(st.integers(1, 99))
    def test_follows_the_shares(self, percent: int) -> None:
        rng = drawn(percent)
        picked = [choose({"a": percent, "b": 100 - percent}, rng) for _ in range(2000)]
        assert picked.count("a") == pytest.approx(20 * percent, abs=120)


class TestRequestLog:
    def test_is_written_to_disk_while_others_count(self, tmp_path: Path) -> None:
        log = RequestLog(tmp_path / "requests.json")

        def count() -> None:
            for number in range(3000):
                log.record(SERIES, 1.0, 60.0 * number)

        with ThreadPoolExecutor(1) as pool:
            counted = pool.submit(count)
            while not counted.done():
                log.save()
            counted.result()
        log.save()
        assert RequestLog(tmp_path / "requests.json").totals("shop") == {"shop-v1": {200: 3000}}

    @given(st.floats(0, 1e12))
    def test_a_latency_lies_within_its_bucket(self, latency: float) -> None:
        bucket = bucket_of(latency)
        low = SCALE * GROWTH ** (bucket - 1) if bucket else 0.0
        high = SCALE * GROWTH**bucket if bucket <= BUCKETS else float("inf")
        assert low * (1 - 1e-9) <= latency < high * (1 + 1e-9)

    def test_counts_by_period_and_survives(self, tmp_path: Path) -> None:
        log = RequestLog(tmp_path / "log.json")
        for now in (60.0, 119.9, 120.0):
            log.record(SERIES, 5.0, now)
        log.save()
        again = RequestLog(tmp_path / "log.json")
        assert {start: cell.count for start, cell in again.series()[SERIES].items()} == {
            60: 2,
            120: 1,
        }
        assert again.series() == log.series()
        assert again.totals("shop") == {"shop-v1": {200: 3}}
        assert again.totals("cart") == {}

    def test_shows_some_seconds_of_its_newest_entries(self, tmp_path: Path) -> None:
        log = RequestLog(tmp_path / "log.json", kept=3)
        for now in (1.0, 2.0, 4.0, 3.0, 5.0, 6.0, 7.0):
            log.record(SERIES, 5.0, now)
        # The number tells when an entry shows: it may not change when older ones go.
        found = [(entry.number, entry.time) for entry in log.entries()]
        assert found == [(4, 5.0), (5, 6.0), (6, 7.0)]
        assert [entry.time for entry in log.entries(5.0, 6.0)] == [6.0]

    @given(st.floats(0, 1e10))
    def test_delays_are_late_but_not_too_late(self, end: float) -> None:
        assert 90.0 <= delay_of(SERIES, end, 180.0) <= 180.0
        assert delay_of(SERIES, end, 180.0) == delay_of(SERIES, end, 180.0)


class TestFilter:
    @given(st.text())
    def test_any_text_is_understood_or_refused(self, text: str) -> None:
        try:
            query.parse_filter(text)
        except ApiError as error:
            assert error.code.http == 400

    @given(st.text(st.characters(exclude_characters='"\\')))
    def test_values_come_through(self, value: str) -> None:
        parsed = query.parse_filter(f'resource.labels.service_name = "{value}"')
        assert parsed == {"resource.service_name": frozenset({value})}

    @pytest.mark.parametrize("text", ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00.000000+01:00"])
    def test_times(self, text: str) -> None:
        seconds = query.parse_time("x", text)
        assert query.rfc3339(seconds) == "2026-01-01T00:00:00Z"

    @pytest.mark.parametrize("text", ["", "today", "2026-01-01T00:00:00", "1767225600"])
    def test_what_is_no_time(self, text: str) -> None:
        with pytest.raises(ApiError):
            query.parse_time("x", text)


class TestTokens:
    def test_look_like_google_s(self, tmp_path: Path) -> None:
        token = iam(tmp_path).mint("robot@p.iam", "http://shop")
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["aud"] == "http://shop"
        assert claims["iss"] == "https://accounts.google.com"
        assert claims["email"] == "robot@p.iam"
        assert claims["exp"] - claims["iat"] == 3600

    def test_survive_a_restart(self, tmp_path: Path) -> None:
        token = iam(tmp_path).mint("a@b", "http://shop")
        assert iam(tmp_path).verify(token, frozenset({"http://shop"}))
        assert not iam(tmp_path).verify(token, frozenset({"http://cart"}))
        assert not iam(tmp_path / "other").verify(token, frozenset({"http://shop"}))

    @given(st.text())
    def test_others_are_refused(self, stranger: IamStandIn, token: str) -> None:
        assert not stranger.verify(token, frozenset({"http://shop"}))


class TestFiles:
    def test_ports_last(self, tmp_path: Path) -> None:
        ports = Ports(tmp_path / "ports.json")
        with ports.listen("a") as listener:
            taken = listener.getsockname()[1]
            with pytest.raises(AirlockError, match=f"port {taken} of a is taken"):
                Ports(tmp_path / "ports.json").listen("a")
        with Ports(tmp_path / "ports.json").reserve("a") as again, ports.reserve("b") as other:
            assert again == taken != other
        ports.forget("a")
        assert read_json(tmp_path / "ports.json", {}) == {"b": other}

    def test_a_port_is_given_to_one_program_only_before_it_is_bound_too(self) -> None:
        with socket.socket() as bound:
            bound.bind((HOST, 0))
            taken = bound.getsockname()[1]
            port, holder = passing_port()
            with holder:
                with pytest.raises(AirlockError, match="no free port"):
                    _free([port, taken], reuse=False)
                with pytest.raises(OSError, match="in use"):
                    hold(port)

    def test_json_is_replaced_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "x.json"
        assert read_json(path, 7) == 7
        write_json(path, {"a": 1})
        with pytest.raises(TypeError):
            write_json(path, {"a": object()})
        assert read_json(path, 7) == {"a": 1}
        assert list(path.parent.iterdir()) == [path]


class TestCommand:
    def test_a_shell_can_read_the_environment(self) -> None:
        environ = {"A": "1@2", "B": "it's; rm"}
        assert render(environ, as_json=False) == "export A=1@2\nexport B='it'\"'\"'s; rm'"
        assert render(environ, as_json=True) == '{"A": "1@2", "B": "it\'s; rm"}'

    def test_a_state_keeps_its_clock(self, tmp_path: Path) -> None:
        clock = clock_of(tmp_path, 60.0)
        assert clock_of(tmp_path, 60.0) == clock
        with pytest.raises(AirlockError, match="--clock-factor 60"):
            clock_of(tmp_path, 1.0)


def drawn(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a split of traffic is not a secret


def iam(folder: Path) -> IamStandIn:
    return IamStandIn(folder, Ports(folder / "ports.json"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> IamStandIn:
    return iam(tmp_path_factory.mktemp("iam"))
