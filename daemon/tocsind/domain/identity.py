"""What makes notifications belong to one alert group, and the ids of what people make.

The identity is the integration, what made the notification, and the grouping key. Alertmanager's groupKey is opaque and
unbounded: it is compared exactly and indexed by SHA-256, as Alertmanager does for its own receivers. The source is a
part of it, so that no sender can reach a heartbeat's group by guessing its key. The route and the receiver never are.
"""

import hashlib
import secrets

from tocsind.domain.alert_group import Source


def identity(integration_id: int, source: Source, grouping_key: str) -> bytes:
    """Returns the 32 bytes by which groups of one identity are found."""
    return hashlib.sha256(b"%d/%d/%b" % (integration_id, source, grouping_key.encode())).digest()


def wiped_identity(group_id: int) -> bytes:
    """Returns the identity of a group that was wiped: its own, and one that no notification can have, as those are
    hashes of what begins with a number."""
    return hashlib.sha256(b"wiped/%d" % group_id).digest()


_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_public_id() -> str:
    """Returns a new public id: 12 characters, none of them easily mistaken for another (Crockford's alphabet)."""
    return "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))


def new_message_key() -> str:
    """Returns a new key of a message, by which its receiver knows a repeat."""
    return f"msg_{new_public_id()}{new_public_id()}"
