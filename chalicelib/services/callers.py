"""Who calls: a program with its API key, or a person with the access token of a sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.domain.people import Person, in_one_spelling, person_of

if TYPE_CHECKING:
    from chalicelib.domain.api_keys import ApiKey
    from chalicelib.services.api_keys import ApiKeys
    from chalicelib.services.ports import TokenKeys


class Callers:
    """The authorizer's one use case."""

    def __init__(self, keys: ApiKeys, issuer: str | None = None, token_keys: TokenKeys | None = None) -> None:
        """Without an issuer nobody signs in."""
        self._keys = keys
        self._issuer = issuer
        self._token_keys = token_keys

    def authenticate(self, credential: str) -> ApiKey | Person | None:
        """Whose it is, if it is good. Raises StoreBusy when that cannot be told."""
        if self._token_keys is None or not in_one_spelling(credential):
            return self._keys.authenticate(credential)
        return self._person(credential, self._token_keys)

    def _person(self, token: str, keys: TokenKeys) -> Person | None:
        # 100 ms to load, which no call with a key is to wait for.
        import jwt

        try:
            key = keys.find(jwt.get_unverified_header(token).get("kid", ""))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                issuer=self._issuer,
                # When it was made is for the pool's clock to say, which may be ahead of ours.
                options={"require": ["exp", "iss", "sub"], "verify_aud": False, "verify_iat": False},
            )
        except (jwt.InvalidTokenError, RecursionError):
            return None
        return person_of(claims)
