"""Formats of clouds, and of the places where code is kept, built and published."""

from __future__ import annotations

import re

from detect_secrets.plugins.artifactory import ArtifactoryDetector

from airlock.leaks.pattern import DOTS, GL, TO, B, E, provider
from airlock.leaks.rule import PrivateKey, Rule

CLOUD = (
    provider(
        "aws-access-key-id",
        "AWS access key id",
        r"(?<![A-Za-z0-9+/])(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}(?![A-Za-z0-9+/=])",
        ("AKIA", "ASIA", "ABIA", "ACCA", "A3T"),
        "Deactivate the key in IAM, create another, and look for its use in CloudTrail",
    ),
    provider(
        "aws-secret-access-key",
        "AWS secret access key",
        rf"(?i:secret[_-]?access[_-]?key|aws[_-]?secret(?:[_-]?key)?){TO}([A-Za-z0-9/+]{{40}})(?![A-Za-z0-9/+=])",
        (
            *("secretaccess", "secret_access", "secret-access"),
            *("awssecret", "aws_secret", "aws-secret"),
        ),
        "Deactivate the key in IAM, create another, and look for its use in CloudTrail",
        prefixes=(),
    ),
    provider(
        "aws-ses-smtp-password",
        "Amazon SES SMTP password",
        rf"(?i:(?:ses|smtp|mail)[a-z_]{{0,20}}pass(?:word|wd)?){TO}(B[A-Za-z0-9+/]{{43}})(?![A-Za-z0-9+/=])",
        ("pass",),
        "Delete the SMTP user's access key in IAM and create new SMTP credentials",
        prefixes=(),
    ),
    provider(
        "google-api-key",
        "Google API key",
        rf"{B}AIza[A-Za-z0-9_-]{{35}}{E}",
        ("AIza",),
        "Rotate the key under APIs & Services, Credentials, and restrict the new one",
    ),
    provider(
        "google-oauth-secret",
        "Google OAuth client secret",
        rf"GOCSPX-[A-Za-z0-9_-]{{28}}{E}",
        ("GOCSPX-",),
        "Reset the client's secret under APIs & Services, Credentials",
    ),
    Rule(
        id="google-service-account-key",
        title="Google service account key",
        tier="block",
        detector=PrivateKey("Google service account key", r"\"private_key\"\s{0,4}:\s{0,4}\""),
        anchors=(b'"private_key"',),
        prefixes=("-----BEGIN ",),
        rotate="Delete the key under IAM, Service accounts, Keys; prefer workload identity",
        reach=PrivateKey.REACH,
    ),
    provider(
        "azure-storage-key",
        "Azure storage account key",
        r"AccountKey=([A-Za-z0-9+/]{86}==)",
        ("AccountKey=",),
        "Rotate the storage account's keys in the Azure portal",
        prefixes=(),
    ),
    provider(
        "digitalocean-token",
        "DigitalOcean token",
        rf"do[opr]_v1_[a-f0-9]{{64}}{E}",
        ("dop_v1_", "doo_v1_", "dor_v1_"),
        "Revoke it in the control panel under API, Tokens",
    ),
    provider(
        "cloud-vault-token",
        "HashiCorp Vault or Terraform token",
        (
            rf"{B}hv[sb]\.[A-Za-z0-9_-]{{90,300}}{E}",
            rf"{B}[A-Za-z0-9]{{14}}\.atlasv1\.[A-Za-z0-9_-]{{60,80}}{E}",
        ),
        ("hvs.", "hvb.", ".atlasv1."),
        "Revoke it with `vault token revoke`, or in Terraform's user settings",
        prefixes=("hvs.", "hvb."),
    ),
)

CODE = (
    provider(
        "github-token",
        "GitHub token",
        (
            rf"gh[pousr]_[A-Za-z0-9]{{36,255}}?(?:{E}|(?=gh[pousr]_))",
            rf"github_pat_[A-Za-z0-9]{{22}}_[A-Za-z0-9]{{59}}{E}",
        ),
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        "Revoke it at https://github.com/settings/tokens, then read the security log",
    ),
    provider(
        "gitlab-token",
        "GitLab token",
        (
            rf"gl(?:{GL})-[A-Za-z0-9_-]{{20,300}}{DOTS}{E}",
            rf"GR1348941[A-Za-z0-9_-]{{20,50}}{E}",
        ),
        (
            *("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "glimt-", "glptt-", "glagent-"),
            *("gloas-", "glcbt-", "glrtr-", "glffct-", "GR1348941"),
        ),
        "Revoke it under Preferences, Access tokens",
    ),
    provider(
        "npm-token",
        "npm token",
        (
            rf"npm_[A-Za-z0-9]{{36}}{E}",
            r":_authToken=[\"']?([A-Fa-f0-9]{8}(?:-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12})",
        ),
        ("npm_", ":_authToken="),
        "Delete it with `npm token revoke`, and check what was published since",
        prefixes=("npm_",),
    ),
    provider(
        "pypi-token",
        "PyPI token",
        rf"pypi-AgE[A-Za-z0-9_-]{{80,400}}{E}",
        ("pypi-AgE",),
        "Remove it in the account settings, and check what was uploaded since",
    ),
    provider(
        "rubygems-key",
        "RubyGems key",
        rf"rubygems_[a-f0-9]{{48}}{E}",
        ("rubygems_",),
        "Delete it at https://rubygems.org/profile/api_keys",
    ),
    provider(
        "docker-hub-token",
        "Docker Hub token",
        rf"dckr_[po]at_[A-Za-z0-9_-]{{27,32}}{E}",
        ("dckr_pat_", "dckr_oat_"),
        "Delete it under Account settings, Personal access tokens",
    ),
    Rule(
        id="artifactory-credentials",
        title="Artifactory credentials",
        tier="warn",  # two or three capital letters are too little to be sure
        detector=ArtifactoryDetector(),
        anchors=(b"akc", b"ap"),
        trigger=re.compile(rb"AKC[A-Za-z0-9]{10}|AP[0-9A-F][A-Za-z0-9]{8}"),
        rotate="Revoke the key in the user's profile",
    ),
    provider(
        "grafana-token",
        "Grafana token",
        (
            rf"glsa_[A-Za-z0-9]{{32}}_[a-f0-9]{{8}}{E}",
            rf"{B}glc_[A-Za-z0-9+/]{{32,400}}={{0,2}}",
        ),
        ("glsa_", "glc_"),
        "Delete the service account's token, or the access policy's",
    ),
    provider(
        "sentry-token",
        "Sentry token",
        (r"sntrys_eyJ[A-Za-z0-9+/=_-]{80,400}", rf"sntryu_[a-f0-9]{{64}}{E}"),
        ("sntrys_", "sntryu_"),
        "Revoke it under Settings, Auth tokens",
    ),
    provider(
        "postman-key",
        "Postman API key",
        rf"PMAK-[a-f0-9]{{24}}-[a-f0-9]{{34}}{E}",
        ("PMAK-",),
        "Regenerate it under Settings, API keys",
    ),
    provider(
        "databricks-token",
        "Databricks token",
        rf"{B}dapi[a-f0-9]{{32}}(?:-\d)?{E}",
        ("dapi",),
        "Revoke it under Settings, Developer, Access tokens",
    ),
    provider(
        "doppler-token",
        "Doppler token",
        rf"{B}dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{{2,35}}\.)?[A-Za-z0-9]{{40,44}}{E}",
        ("dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."),
        "Revoke it in the Doppler dashboard",
    ),
    provider(
        "linear-key",
        "Linear API key",
        rf"lin_(?:api|oauth)_[A-Za-z0-9]{{40,64}}{E}",
        ("lin_api_", "lin_oauth_"),
        "Revoke it under Settings, API",
    ),
    provider(
        "new-relic-key",
        "New Relic user key",
        rf"NRAK-[A-Z0-9]{{27}}{E}",
        ("NRAK-",),
        "Delete it on the API keys page",
    ),
)
