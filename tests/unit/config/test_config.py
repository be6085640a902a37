"""The configuration file: defaults, and errors that say file, line, key and fix."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from airlock.config import Config, Service, Span, load, parse, words
from airlock.config.schema import schema
from airlock.errors import AirlockError

ROOT = Path(__file__).parents[3]
THREE_LINES = """\
services:
  api:
    project: shop-prod
    region: europe-west1
"""

_EMAIL = "a service account's e-mail address, as in shop@shop-prod.iam.gserviceaccount.com"
DOUBTFUL = {
    "rollout: {step-duration: 0s}": "services.api.rollout.step-duration: expected more than 0s. "
    "Correct the value.",
    "smoke: {suite: ../x}": "services.api.smoke: expected `suite` to be a path inside the "
    "repository. Correct the value.",
    "invoker: me": f"services.api.invoker: not {_EMAIL}. Correct the value.",
    "settings: {service-account: bob@acme.com}": "services.api.settings.service-account: "
    f"not {_EMAIL}. Correct the value.",
    "settings: {secrets: {A: b}}": "services.api.settings.secrets.A: not a secret and its version, "
    "as in api-key:latest. Correct the value.",
    "settings: {timeout: 2h}": "services.api.settings: expected `timeout` to be 1h or less, as "
    "Cloud Run has it. Correct the value.",
    "settings: {min-instances: 3, max-instances: 2}": "services.api.settings: expected "
    "`min-instances` to be `max-instances` or less. Correct the value.",
    "name: Shop": "services.api.name: not a name (lower-case letters, digits and dashes, up to "
    "49). Correct the value.",
}


def test_a_service_needs_its_name_project_and_region() -> None:
    service = parse(THREE_LINES).service("api")
    assert service == Service(project="shop-prod", region="europe-west1")
    assert service.rollout.steps == (5, 25, 50, 100)
    assert service.rollout.step_duration == 300.0
    assert service.smoke.paths == ("/health", "/ready")
    assert service.thresholds.on_inconclusive == "promote-with-warning"


def test_an_empty_file_is_all_defaults() -> None:
    assert parse("") == Config()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(
            THREE_LINES + "    rollout:\n      stepss: [100]\n",
            ".github/airlock.yml:6: services.api.rollout: unknown key 'stepss'. "
            "Did you mean 'steps'?",
            id="unknown-key",
        ),
        pytest.param(
            "services:\n  api:\n    project: shop-prod\n",
            ".github/airlock.yml:2: services.api: 'region' is missing. Add 'region: …'.",
            id="missing-key",
        ),
        pytest.param(
            "services:\n  api:\n    project: 7\n    region: r\n",
            ".github/airlock.yml:3: services.api.project: expected text, got a whole number. "
            "Put it in quotes.",
            id="wrong-type",
        ),
        pytest.param(
            THREE_LINES + "    rollout: {steps: [5, 3, 100]}\n",
            ".github/airlock.yml:5: services.api.rollout: expected `steps` to rise and to end at "
            "100. Correct the value.",
            id="falling-steps",
        ),
        pytest.param(
            THREE_LINES + "    rollout: {step-duration: 5}\n",
            ".github/airlock.yml:5: services.api.rollout.step-duration: expected a time such as "
            "90s, 5m or 1.5h. Correct the value.",
            id="span-without-unit",
        ),
        pytest.param(
            "services:\n  ok: {project: p, region: r}\n  Api: {project: p, region: r}\n",
            ".github/airlock.yml:3: services: 'Api' is not a name (lower-case letters, digits and "
            "dashes, up to 49). Correct the value.",
            id="bad-name",
        ),
        pytest.param(
            "scan: {}\nscan: {}\n",
            ".github/airlock.yml:2: key 'scan' stands here and in line 1. Remove one of them.",
            id="repeated-key",
        ),
        pytest.param(
            "services: [\n",
            ".github/airlock.yml:2: did not find expected node content. Correct the YAML there.",
            id="not-yaml",
        ),
        pytest.param(
            "services:\n  api:\n    <<: *base\n",
            ".github/airlock.yml:3: found undefined alias. Correct the YAML there.",
            id="unknown-anchor",
        ),
        pytest.param(
            "- services\n",
            ".github/airlock.yml:1: expected a mapping, got a list. "
            "Write its keys below it, indented.",
            id="not-a-mapping",
        ),
        pytest.param(
            "scan:\n  exclude:\n  - docs/**\n  - 7\n",
            ".github/airlock.yml:4: scan.exclude[1]: expected text, got a whole number. "
            "Put it in quotes.",
            id="list-item",
        ),
        pytest.param(
            THREE_LINES + "    build:\n      repository: r.dev/p/i\n      context: ../other\n",
            ".github/airlock.yml:5: services.api.build: expected `context` to be a path inside "
            "the repository. Correct the value.",
            id="context-outside",
        ),
        pytest.param(
            THREE_LINES + "    build:\n      repository: r.dev/p/i\n      args: {A: x, B: 1}\n",
            ".github/airlock.yml:7: services.api.build.args.B: expected text, got a whole number. "
            "Put it in quotes.",
            id="argument",
        ),
        *(
            pytest.param(THREE_LINES + f"    {lines}\n", f".github/airlock.yml:5: {told}", id=lines)
            for lines, told in DOUBTFUL.items()
        ),
        pytest.param(
            THREE_LINES + "    build:\n      repository: r.dev/p/i\n      secrets: {a b: TOKEN}\n",
            ".github/airlock.yml:7: services.api.build.secrets: 'a b' is not an id (letters, "
            "digits, dots, dashes and underscores). Correct the value.",
            id="secret-id",
        ),
    ],
)
def test_an_error_names_file_line_key_and_fix(text: str, line: str) -> None:
    with pytest.raises(AirlockError) as caught:
        parse(text)
    assert str(caught.value) == line


KNOWN = "connector, network, subnetwork, tags, egress"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "services.api: expected a mapping, got nothing. Write its keys below it, indented."),
        ("steps: [100]", "unknown key 'steps'. It belongs to rollout."),
        ("step_duration: 5m", "unknown key 'step_duration'. It belongs to rollout."),
        ("patsh: [a]", "unknown key 'patsh'. Did you mean 'paths'?"),
        ("SMOKE: {}", "unknown key 'SMOKE'. Did you mean 'smoke'?"),
        ("settings: {vpc: {foo: 1}}", f"unknown key 'foo'. Known here: {KNOWN}."),
        ("paths: src", "paths: expected a list, got text. Write a list, as in [one, two]."),
        ("paths: []\n    name: ''", "name: not a name (lower-case letters, digits and dashes,"),
        ("rollout: {steps: []}", "steps: empty. Write something there, or leave the key out."),
        ("rollout: {steps: [0, 100]}", "steps[0]: expected a whole number, 1 or more. Correct"),
        ("rollout: {on-cancel: hodl}", "expected rollback or hold. Did you mean 'hold'?"),
        ("smoke: {internal: no}", "smoke.internal: expected test or skip. Write one of them."),
        ("smoke: {paths: [health]}", "paths[0]: not a route, which begins with /. Correct"),
        ("thresholds: {alpha: 2}", "alpha: expected a number, less than 1. Correct the value."),
        ("settings: {cpu: lots}", "cpu: not a number of CPUs, as in 1, 0.5 or 500m. Correct"),
        ("settings: {vpc: default}", "vpc: expected a mapping, got text. Write its keys below it"),
    ],
)
def test_errors_speak_the_words_of_who_writes_the_file(lines: str, said: str) -> None:
    start = THREE_LINES if lines else "services:\n  api:\n"
    with pytest.raises(AirlockError) as caught:
        parse(f"{start}    {lines}\n" if lines else start)
    assert said in str(caught.value)


def test_every_misspelt_key_is_told_its_neighbour() -> None:
    for place, section in words._sections().items():
        for key in words._keys(section):
            what, fix = words.plainly(f"Object contains unknown field `{key}x`", place, None)
            assert what == f"unknown key '{key}x'"
            assert fix == f"Did you mean {key!r}?", place


def test_every_pattern_has_its_words() -> None:
    written = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(schema()))
    patterns = {json.loads(text) for text in written}
    spans = {each for each in patterns if "(s|m|h)" in each}
    assert {repr(each)[1:-1] for each in patterns - spans} == set(words._shapes())


def test_the_second_of_two_services_is_the_one_blamed() -> None:
    with pytest.raises(AirlockError, match=r"airlock\.yml:5: services\.web: 'region' is missing"):
        parse(THREE_LINES + "  web:\n    project: p\n")


@given(st.text())
def test_any_text_is_a_config_or_one_line(text: str) -> None:
    try:
        assert isinstance(parse(text), Config)
    except AirlockError as error:
        assert "\n" not in str(error)


# What YAML makes something else of than text.
_PIECES = st.sampled_from(
    [
        *("{", "}", "[", "]", ": ", ", ", "\n", "  ", "- ", "? ", "a", "&a ", "*a", "<<: ", "~"),
        *("!!int ", "!!float ", "!!bool ", "!!set ", "!!omap ", "!!binary ", "!!timestamp ", "!x "),
        *("2026-13-45", "2026-02-03T04:05:06+99:99", "0x", "0b_", "1:99", ".inf", "9" * 5000),
        *("'", '"', "|", "#", "---\n", "services", "scan"),
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join))
@example("services: 2026-13-45")
@example("services: " + "9" * 5000)
@example("services: 2026-02-03T04:05:06+99:99")
@example("services: !!bool a")
@example("services: {[a]: 1}")
def test_what_is_no_value_is_a_line_like_any_other(text: str) -> None:
    try:
        assert isinstance(parse(text), Config)
    except AirlockError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000, id="deep"),
        pytest.param(
            "a0: &a0 [x]\n"
            + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)),
            id="aliases",
        ),
        pytest.param("services: &s\n  api: *s\n", id="endless"),
    ],
)
def test_a_small_file_cannot_stand_for_a_huge_one(text: str) -> None:
    with pytest.raises(AirlockError, match="too large or too deeply nested"):
        parse(text)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
_KEYS = st.sampled_from(
    ["scan", "services", "exclude", "api", "project", "rollout", "steps", "smoke"]
)


@given(
    st.recursive(_VALUES, lambda inner: st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12)
)
def test_any_yaml_document_is_a_config_or_one_line(document: object) -> None:
    try:
        assert isinstance(parse(yaml.safe_dump(document)), Config)
    except AirlockError as error:
        assert "\n" not in str(error)


def test_an_unknown_service_names_the_nearest() -> None:
    with pytest.raises(AirlockError, match=r"no service 'ap1'\. Did you mean 'api'\?"):
        parse(THREE_LINES).service("ap1")


def test_an_unknown_service_without_a_near_one_lists_them() -> None:
    with pytest.raises(AirlockError, match=r"no service 'checkout'\. Services in the file: api\."):
        parse(THREE_LINES).service("checkout")


def test_a_missing_file_says_how_to_add_it(tmp_path: Path) -> None:
    with pytest.raises(AirlockError, match=r"^\.github/airlock\.yml: no such file\. Add it"):
        load(tmp_path)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "airlock.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(AirlockError, match="cannot be read"):
        load(tmp_path, "airlock.yml")


def test_the_published_schema_is_the_one_of_the_types() -> None:
    published = json.loads((ROOT / "schema" / "airlock.json").read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(schema())), "run: make docs"


def test_every_key_of_the_schema_is_described() -> None:
    for section in (schema(), *schema()["$defs"].values()):
        for key, value in section["properties"].items():
            assert value.get("description"), key


def test_schema_and_loader_agree() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    good = yaml.safe_load(THREE_LINES + "    rollout: {steps: [100], step-duration: 90s}\n")
    validator.validate(good)
    good["services"]["api"]["rollout"]["step-duration"] = 90
    assert not validator.is_valid(good)


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [("90s", 90, "90s"), ("5m", 300, "5m"), ("1.5h", 5400, "90m"), ("0s", 0, "0s")],
)
def test_a_span_reads_and_shows(text: str, seconds: float, shown: str) -> None:
    assert Span.parse(text) == seconds
    assert str(Span.parse(text)) == shown


@pytest.mark.parametrize("text", ["5", "m", "5 m", "-5m", "", "5d", None, 5])
def test_a_span_without_number_and_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="Expected a time"):
        Span.parse(text)
