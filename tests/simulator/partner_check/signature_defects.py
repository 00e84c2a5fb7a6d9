"""Partners that accept one kind of invalid signature. ``finds`` names the checks that find it."""

from __future__ import annotations

import jwt

from tests.simulator.partner_check.correct_partner import CorrectPartner
from tests.support.partners import Json

_ALL = (
    "missing garbage forged unknown-key unsigned hmac expired endless long-lived audience issuer body path method "
    "unnamed replayed"
)


class SkipsVerification(CorrectPartner):
    finds = tuple(f"authentication.{name}" for name in _ALL.split())

    def verify(self, method: str, path: str, signature: str | None, raw: bytes) -> None:
        """Verifies nothing."""


class AcceptsReplay(CorrectPartner):
    finds = ("authentication.replayed",)

    def remember(self, jti: str) -> None:
        """Remembers nothing."""


class IgnoresTheBody(CorrectPartner):
    finds = ("authentication.body",)

    def compare(self, claims: Json, method: str, path: str, sha256: str) -> None:
        super().compare({**claims, "bodySha256": sha256}, method, path, sha256)


class IgnoresThePath(CorrectPartner):
    finds = ("authentication.path",)

    def compare(self, claims: Json, method: str, path: str, sha256: str) -> None:
        super().compare({**claims, "path": path}, method, path, sha256)


class IgnoresTheMethod(CorrectPartner):
    finds = ("authentication.method",)

    def compare(self, claims: Json, method: str, path: str, sha256: str) -> None:
        super().compare({**claims, "method": method}, method, path, sha256)


class IgnoresTheAudience(CorrectPartner):
    finds = ("authentication.audience",)

    def decode(self, signature: str, key: jwt.PyJWK, **changed: object) -> Json:
        options = {"require": ["exp", "iat", "jti"], "verify_aud": False}
        return super().decode(signature, key, audience=None, options=options, **changed)


class IgnoresTheIssuer(CorrectPartner):
    finds = ("authentication.issuer",)

    def decode(self, signature: str, key: jwt.PyJWK, **changed: object) -> Json:
        return super().decode(signature, key, issuer=None, **changed)


class IgnoresTheClock(CorrectPartner):
    finds = ("authentication.expired",)

    def decode(self, signature: str, key: jwt.PyJWK, **changed: object) -> Json:
        options = {"require": ["exp", "iat", "jti"], "verify_exp": False}
        return super().decode(signature, key, options=options, **changed)


class AcceptsLongValidity(CorrectPartner):
    finds = ("authentication.long-lived",)

    def decode(self, signature: str, key: jwt.PyJWK, **changed: object) -> Json:
        claims = super().decode(signature, key, **changed)
        return {**claims, "exp": claims["iat"]}


class AllowsNoClockSkew(CorrectPartner):
    finds = ("authentication.ahead",)

    def decode(self, signature: str, key: jwt.PyJWK, **changed: object) -> Json:
        return super().decode(signature, key, leeway=0, **changed)


class AcceptsAnyAlgorithm(CorrectPartner):
    finds = ("authentication.unsigned",)

    def claims(self, signature: str) -> Json:
        if jwt.get_unverified_header(signature)["alg"] == "none":
            claims: Json = jwt.decode(signature, options={"verify_signature": False})
            return claims
        return super().claims(signature)


class AcceptsAnyKey(CorrectPartner):
    finds = (
        "authentication.forged",
        "authentication.unknown-key",
        "authentication.unsigned",
        "authentication.hmac",
    )

    def decode(self, signature: str, key: jwt.PyJWK, **changed: object) -> Json:
        unverified: Json = jwt.decode(signature, options={"verify_signature": False})
        if jwt.get_unverified_header(signature)["kid"] in self.keys:
            genuine = super().decode
            try:
                return genuine(signature, key, **changed)
            except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
                return unverified
        return unverified

    def key(self, key_id: str) -> jwt.PyJWK:
        try:
            return super().key(key_id)
        except KeyError:
            return next(iter(self.keys.values()))


class ReadsKeysOnce(CorrectPartner):
    finds = ("authentication.rotated",)

    def read_keys(self) -> dict[str, jwt.PyJWK]:
        return self.keys or super().read_keys()


class SkipsVerificationOfClears(CorrectPartner):
    finds = ("authentication.missing",)

    def verify(self, method: str, path: str, signature: str | None, raw: bytes) -> None:
        if method == "POST":
            super().verify(method, path, signature, raw)


class ActsBeforeVerification(CorrectPartner):
    finds = ("authentication.no-effect",)

    def verify(self, method: str, path: str, signature: str | None, raw: bytes) -> None:
        try:
            super().verify(method, path, signature, raw)
        except jwt.InvalidSignatureError:
            self.answer(path.split("/")[3:], self.read(raw))
            raise
