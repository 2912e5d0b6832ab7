"""Who calls, and what callers may do.

Rules
- A role allows what `ALLOWS` says. Roles are not a ladder: a gateway hands in what it received and reads nothing.
- A token's text is `tocsin_{id}_{secret}`. The id finds it; the secret has 256 random bits and is kept as its SHA-256
  only (of that many random bits, a slow hash would protect nothing more), compared in constant time. The fixed prefix
  lets scanners of repositories and logs find tokens that leaked.
- A token's name, role and end never change: what an old line of the audit log says of it stays true.
- An expired token is refused like one that is unknown, with a reason of its own. It stays listed until it is revoked.
- With a token the actor is the token's name. Who says that it acts for somebody is believed and shown as
  `somebody via token`: the token vouches. Without one, behind the file mode of a unix socket, callers name themselves.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import IntEnum

from tocsind.domain.errors import invalid
from tocsind.domain.identity import new_public_id

PREFIX = "tocsin"
MAX_NAME = 100
MAX_ACTOR = 150
ANONYMOUS = "local"


class Role(IntEnum):
    """What a caller is. The numbers are those of `tocsin.v1.ApiToken.Role` and of the database."""

    VIEWER = 1
    EDITOR = 2
    ADMIN = 3
    GATEWAY = 4


ALLOWS: dict[Role, frozenset[Role]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.EDITOR: frozenset({Role.VIEWER, Role.EDITOR}),
    Role.ADMIN: frozenset(Role),
    Role.GATEWAY: frozenset({Role.GATEWAY}),
}
"""By what a caller is: for which needs of a call that is enough."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A key to the API. Times in microseconds since 1970, None for never; `id` is the database's."""

    id: int
    public_id: str
    display_name: str
    role: Role
    secret_hash: bytes
    creator: str
    created: int
    expires: int | None = None
    last_used: int | None = None

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"apiTokens/{self.public_id}"

    def has_expired(self, now: int) -> bool:
        """Whether it works no longer."""
        return self.expires is not None and self.expires <= now

    def fits(self, secret: str) -> bool:
        """Whether this is its secret."""
        return hmac.compare_digest(hash_of(secret), self.secret_hash)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes one call, and which.

    `token` is the resource name of the token used, or "". `method` is `Service.Method`. `trace_id` is what logs call
    it. `deadline` is when the caller stops waiting, in microseconds of the daemon's monotonic clock, or None.
    """

    actor: str
    role: Role
    token: str = ""
    method: str = ""
    trace_id: str = ""
    deadline: int | None = None


def new_token(display_name: str, role: Role, expires: int | None, creator: str, now: int) -> tuple[ApiToken, str]:
    """Returns a new token and its text; TocsinError (INVALID, with the field) where something is not what it may be."""
    if not 1 <= len(display_name) <= MAX_NAME or display_name != display_name.strip() or not display_name.isprintable():
        message = f"must be 1 to {MAX_NAME} printable characters, without space at its ends"
        raise invalid("api_token.display_name", message)
    if expires is not None and expires <= now:
        raise invalid("api_token.expire_time", "must be in the future")
    secret = secrets.token_urlsafe(32)
    token = ApiToken(0, new_public_id(), display_name, role, hash_of(secret), creator, now, expires)
    return token, f"{PREFIX}_{token.public_id}_{secret}"


def parts_of(text: str) -> tuple[str, str] | None:
    """Returns the public id and the secret in a token's text, or None where it cannot be one."""
    prefix, _, rest = text.partition("_")
    public_id, _, secret = rest.partition("_")
    return (public_id, secret) if prefix == PREFIX and public_id and secret else None


def hash_of(secret: str) -> bytes:
    """Returns what is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def actor_name(claimed: str, token: ApiToken | None) -> str:
    """Returns what a caller is called who says that it is `claimed` (or nothing, "")."""
    claimed = claimed.strip()
    if len(claimed) > MAX_ACTOR or not claimed.isprintable():
        raise invalid("tocsin-actor", f"must be at most {MAX_ACTOR} printable characters")
    if token is None:
        return claimed or ANONYMOUS
    return f"{claimed} via {token.display_name}" if claimed and claimed != token.display_name else token.display_name
