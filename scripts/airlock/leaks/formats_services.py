"""Formats of models, messages, payments and data."""

from __future__ import annotations

import re

from detect_secrets.plugins.cloudant import CloudantDetector
from detect_secrets.plugins.ibm_cos_hmac import IbmCosHmacDetector
from detect_secrets.plugins.softlayer import SoftlayerDetector

from airlock.leaks.pattern import TO, B, E, provider
from airlock.leaks.rule import Rule

MODELS = (
    provider(
        "anthropic-key",
        "Anthropic API key",
        rf"sk-ant-[a-z]{{3,8}}\d{{2}}-[A-Za-z0-9_-]{{80,140}}{E}",
        ("sk-ant-",),
        "Disable it in the Console under API keys",
    ),
    provider(
        "openai-key",
        "OpenAI API key",
        # The marker in the middle is base64 of "OpenAI".
        rf"{B}sk-(?:[a-z]{{4,8}}-)?[A-Za-z0-9_-]{{20,100}}T3BlbkFJ[A-Za-z0-9_-]{{20,100}}{E}",
        ("T3BlbkFJ",),
        "Revoke it at https://platform.openai.com/api-keys",
        prefixes=("sk-", "sk-proj-", "sk-svcacct-", "sk-admin-"),
    ),
    provider(
        "hugging-face-token",
        "Hugging Face token",
        rf"{B}(?:hf_|api_org_)[A-Za-z]{{34}}{E}",
        ("hf_", "api_org_"),
        "Invalidate it at https://huggingface.co/settings/tokens",
    ),
)

MESSAGES = (
    provider(
        "slack-token",
        "Slack token",
        (
            rf"xox[abeoprs]-(?:\d{{1,15}}-){{1,4}}[A-Za-z0-9]{{18,160}}{E}",
            rf"xoxe\.xox[bp]-\d-[A-Za-z0-9-]{{20,250}}{E}",
            rf"xapp-\d-[A-Z0-9]{{6,20}}-\d{{6,20}}-[a-f0-9]{{64}}{E}",
        ),
        ("xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xoxe.xox", "xapp-"),
        "Revoke it with auth.revoke, or rotate it on the app's page",
    ),
    provider(
        "slack-webhook",
        "Slack webhook",
        r"https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9_]{8,16}/[A-Za-z0-9_]{8,20}/[A-Za-z0-9_]{16,48}",
        ("hooks.slack.com/",),
        "Remove the webhook on the app's page and add another",
        prefixes=("https://hooks.",),
    ),
    provider(
        "discord-token",
        "Discord bot token",
        # The first part is base64 of a decimal id, so it starts with M, N or O.
        rf"{B}[MNO][A-Za-z0-9_-]{{23,27}}\.[A-Za-z0-9_-]{{6}}\.[A-Za-z0-9_-]{{27,40}}{E}",
        (".",),
        "Reset it on the bot's page in the developer portal",
        prefixes=(),
        trigger=rb"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27}",
    ),
    provider(
        "discord-webhook",
        "Discord webhook",
        r"https://(?:\w{2,6}\.)?discord(?:app)?\.com/api/webhooks/\d{17,20}/[A-Za-z0-9_-]{60,72}",
        ("/api/webhooks/",),
        "Delete the webhook in the channel's settings",
        prefixes=("https://",),
    ),
    provider(
        "telegram-token",
        "Telegram bot token",
        r"(?<![0-9])\d{8,10}:[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])",
        (":",),
        "Revoke it with /revoke in a chat with BotFather",
        prefixes=(),
        trigger=rb"[0-9]{8}:[A-Za-z0-9_-]{35}",
    ),
    provider(
        "brevo-key",
        "Brevo API or SMTP key",
        rf"x(?:key|smtp)sib-[a-f0-9]{{64}}-[A-Za-z0-9]{{16}}{E}",
        ("xkeysib-", "xsmtpsib-"),
        "Delete it under SMTP & API",
    ),
    provider(
        "sendgrid-key",
        "SendGrid API key",
        rf"{B}SG\.[A-Za-z0-9_-]{{22}}\.[A-Za-z0-9_-]{{43}}{E}",
        ("SG.",),
        "Delete it under Settings, API keys",
    ),
    provider(
        "mailchimp-key",
        "Mailchimp API key",
        rf"{B}[a-f0-9]{{32}}-us\d{{1,2}}{E}",
        ("-us",),
        "Disable it under Extras, API keys",
        prefixes=(),
    ),
    provider(
        "mailgun-key",
        "Mailgun API key",
        rf"{B}key-[a-f0-9]{{32}}{E}",
        ("key-",),
        "Delete it under API security",
    ),
    provider(
        "twilio-key",
        "Twilio API key or auth token",
        (
            rf"{B}SK[a-f0-9]{{32}}{E}",
            rf"(?i:twilio[a-z_]{{0,12}}(?:token|secret)){TO}([a-f0-9]{{32}}){E}",
        ),
        ("sk", "twilio"),
        "Delete the key, or promote the secondary auth token, in the Console",
        prefixes=("SK",),
        trigger=rb"SK[a-f0-9]{32}|[Tt][Ww][Ii][Ll][Ii][Oo]",
    ),
)

MONEY_AND_DATA = (
    provider(
        "stripe-key",
        "Stripe live key",
        (rf"[rs]k_live_[A-Za-z0-9]{{24,247}}{E}", rf"{B}whsec_[A-Za-z0-9+/]{{32,64}}={{0,2}}"),
        ("sk_live_", "rk_live_", "whsec_"),
        "Roll it under Developers, API keys",
    ),
    provider(
        "stripe-test-key",
        "Stripe test key",
        rf"[rs]k_test_[A-Za-z0-9]{{24,247}}{E}",
        ("sk_test_", "rk_test_"),
        "Roll it under Developers, API keys, in test mode",
        tier="warn",
    ),
    provider(
        "square-secret",
        "Square secret",
        (rf"{B}sq0(?:csp|atp)-[A-Za-z0-9_-]{{22,43}}{E}", rf"{B}EAAA[A-Za-z0-9_-]{{60}}{E}"),
        ("sq0csp-", "sq0atp-", "EAAA"),
        "Replace it in the developer dashboard",
    ),
    provider(
        "shopify-token",
        "Shopify token",
        rf"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{{32}}{E}",
        ("shpat_", "shpca_", "shppa_", "shpss_"),
        "Rotate the app's credentials in the partner dashboard",
    ),
    provider(
        "odds-api-key",
        "The Odds API key",
        (
            rf"(?i:odds_?api(?:_?key)?){TO}([a-f0-9]{{32}}){E}",
            r"api\.the-odds-api\.com/[^\s\"']{0,200}?apiKey=([a-f0-9]{32})",
        ),
        ("odds_api", "oddsapi", "the-odds-api"),
        "Ask The Odds API to replace it",
        prefixes=(),
    ),
    provider(
        "balldontlie-key",
        "balldontlie API key",
        rf"(?i:balldontlie[a-z_]{{0,16}}){TO}([a-f0-9]{{8}}(?:-[a-f0-9]{{4}}){{3}}-[a-f0-9]{{12}}){E}",
        ("balldontlie",),
        "Regenerate it on the account page",
        prefixes=(),
    ),
    provider(
        "age-key",
        "age private key",
        rf"AGE-SECRET-KEY-1[0-9A-Z]{{58}}{E}",
        ("AGE-SECRET-KEY-1",),
        "Create another key and encrypt everything anew",
    ),
    Rule(
        id="cloudant-credentials",
        title="Cloudant credentials",
        tier="block",
        detector=CloudantDetector(),
        anchors=(b"cl",),
        trigger=re.compile(
            rb"(?i)cl(?:oudant|ou)?[_-]?(?:api)?(?:key|pw|pass|token)|cloudant\.com"
        ),
        rotate="Delete the credential and create another",
    ),
    Rule(
        id="ibm-cos-hmac",
        title="IBM Cloud Object Storage secret",
        tier="block",
        detector=IbmCosHmacDetector(),
        anchors=(b"secret",),
        rotate="Delete the service credential and create another",
    ),
    Rule(
        id="softlayer-credentials",
        title="SoftLayer credentials",
        tier="block",
        detector=SoftlayerDetector(),
        anchors=(
            *(b"softlayer", b"sl_", b"sl-", b"slapi"),
            *(b"slkey", b"slpwd", b"slpass", b"sltoken"),
        ),
        rotate="Reset the API key in the portal",
    ),
)
