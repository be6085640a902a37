"""A Sigstore of our own, in the form of GitHub's for private repositories.

A certificate authority signs a key for a workflow, as Fulcio does from an ID token; the key signs a
statement about an image; a timestamp authority says when. No log is written to. ``gh`` verifies all
of it, once it is told to trust this authority: nothing in what is tested stands in for anything.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

if TYPE_CHECKING:
    from pathlib import Path

_FULCIO = "1.3.6.1.4.1.57264.1"  # github.com/sigstore/fulcio, docs/oid-info.md
_ISSUER = "https://token.actions.githubusercontent.com"
_START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_ORGANISATION = "Sandbox"

_TSA = """\
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
certs = {folder}/root.pem
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_alg = sha256
"""


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _text(value: str) -> bytes:
    """Return the DER of a UTF8String, as Fulcio writes its extensions."""
    body = value.encode()
    length = bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])
    return b"\x0c" + length + body


PROVENANCE = "https://slsa.dev/provenance/v1"


@dataclass(frozen=True)
class Sigstore:
    """The authorities.

    Args:
        folder: Where keys and certificates are.
        key: Key of the certificate authority.
        root: Its certificate.
    """

    folder: Path
    key: ec.EllipticCurvePrivateKey
    root: x509.Certificate

    @classmethod
    def new(cls, folder: Path) -> Sigstore:
        """Make all keys."""
        folder.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        made = cls(folder, key, cls._certificate(_name("root"), key.public_key(), key, ca=True))
        tsa = ec.generate_private_key(ec.SECP256R1())
        stamping = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        certificate = cls._certificate(_name("tsa"), tsa.public_key(), key, usage=stamping)
        (folder / "root.pem").write_bytes(made.root.public_bytes(serialization.Encoding.PEM))
        (folder / "tsa.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / "tsa.key").write_bytes(
            tsa.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(_TSA.format(folder=folder))
        chain = [_der(made.root)]
        authority = {
            "subject": {"organization": _ORGANISATION, "commonName": "root"},
            "uri": "https://sandbox.invalid",
            "validFor": {"start": "2020-01-01T00:00:00Z"},
        }
        trusted = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [],
            "ctlogs": [],
            "certificateAuthorities": [{**authority, "certChain": {"certificates": chain}}],
            "timestampAuthorities": [
                {**authority, "certChain": {"certificates": [_der(certificate), *chain]}}
            ],
        }
        (folder / "trusted_root.jsonl").write_text(json.dumps(trusted) + "\n")
        return made

    def attest(
        self, digest: str, *, repository: str, commit: str, signer: str, predicate: str = PROVENANCE
    ) -> Path:
        """Return the file that says that a workflow built an image.

        Args:
            digest: The image's, ``sha256:…``.
            repository: Whose workflow ran, ``OWNER/NAME``.
            commit: What it built.
            signer: The workflow that signs, with the ref it stands at.
            predicate: Type of what it says.
        """
        own = ec.generate_private_key(ec.SECP256R1())
        home = f"https://github.com/{repository}"
        facts = {
            8: _ISSUER,
            9: f"https://github.com/{signer}",
            11: "github-hosted",
            12: home,
            13: commit,
            14: "refs/heads/main",
            16: home.rpartition("/")[0],
            18: f"{home}/.github/workflows/release.yml@refs/heads/main",
            20: "push",
            21: f"{home}/actions/runs/1/attempts/1",
            22: "private",
        }
        certificate = self._certificate(
            None,
            own.public_key(),
            self.key,
            usage=x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]),
            uri=f"https://github.com/{signer}",
            facts=facts,
        )
        statement: dict[str, Any] = {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "image", "digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicateType": predicate,
            "predicate": {"buildDefinition": {}, "runDetails": {}},
        }
        kind, payload = "application/vnd.in-toto+json", json.dumps(statement).encode()
        # What is signed: github.com/secure-systems-lab/dsse, protocol.md.
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        signature = own.sign(signed, ec.ECDSA(hashes.SHA256()))
        bundle = {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": _der(certificate),
                "timestampVerificationData": {
                    "rfc3161Timestamps": [{"signedTimestamp": _base64(self._stamp(signature))}]
                },
            },
            "dsseEnvelope": {
                "payload": _base64(payload),
                "payloadType": kind,
                "signatures": [{"sig": _base64(signature)}],
            },
        }
        path = self.folder / f"{certificate.serial_number}.json"
        path.write_text(json.dumps(bundle))
        return path

    def _stamp(self, signature: bytes) -> bytes:
        """Return the timestamp authority's answer (RFC 3161)."""
        data, query, answer = (self.folder / name for name in ("data", "query", "answer"))
        data.write_bytes(signature)
        ts = ["openssl", "ts"]
        asked = [*ts, "-query", "-data", str(data), "-sha256", "-cert", "-out", str(query)]
        config = ["-config", str(self.folder / "tsa.cnf")]
        answered = [*ts, "-reply", *config, "-queryfile", str(query), "-out", str(answer)]
        for command in (asked, answered):
            subprocess.run(command, check=True, capture_output=True)
        return answer.read_bytes()

    @staticmethod
    def _certificate(
        subject: x509.Name | None,
        public: ec.EllipticCurvePublicKey,
        signing: ec.EllipticCurvePrivateKey,
        *,
        ca: bool = False,
        usage: x509.ExtendedKeyUsage | None = None,
        uri: str = "",
        facts: dict[int, str] | None = None,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject or x509.Name([]))
            .issuer_name(_name("root"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_START)
            .not_valid_after(_START + dt.timedelta(days=36500))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
                critical=False,
            )
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not ca,
                    key_cert_sign=ca,
                    crl_sign=ca,
                    **dict.fromkeys(
                        (
                            *("content_commitment", "key_encipherment", "data_encipherment"),
                            *("key_agreement", "encipher_only", "decipher_only"),
                        ),
                        False,
                    ),
                ),
                critical=True,
            )
        )
        if usage is not None:
            builder = builder.add_extension(usage, critical=True)
        if uri:
            names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
            builder = builder.add_extension(names, critical=True)
        for number, value in (facts or {}).items():
            oid = ObjectIdentifier(f"{_FULCIO}.{number}")
            extension = x509.UnrecognizedExtension(oid, _text(value))
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(signing, hashes.SHA256())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _der(certificate: x509.Certificate) -> dict[str, str]:
    return {"rawBytes": _base64(certificate.public_bytes(serialization.Encoding.DER))}
