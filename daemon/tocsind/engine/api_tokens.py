"""The jobs of API tokens: creating and revoking them, and writing down when they were used."""

from tocsind.domain import access as rules
from tocsind.domain.access import ApiToken, Caller, Role
from tocsind.domain.errors import name_taken, not_found
from tocsind.engine import audit
from tocsind.engine.memory import Memory
from tocsind.sqlite import api_tokens
from tocsind.sqlite.writer import Transaction


def create(
    transaction: Transaction, memory: Memory, display_name: str, role: Role, expires: int | None, *, by: Caller
) -> tuple[ApiToken, str]:
    """Creates a token; returns it with its text, which nobody can learn again. TocsinError: INVALID, EXISTS."""
    new, text = rules.new_token(display_name, role, expires, by.actor, transaction.now)
    other = api_tokens.by_display_name(transaction.connection, display_name)
    if other is not None:
        raise name_taken(other.name, display_name, "api_token.display_name")
    api_tokens.insert(transaction.connection, new)
    audit.record(transaction, by, new.name, audit.NOTHING, audit.of_token(new))
    transaction.after_commit(lambda: memory.keyring.add(new))
    return new, text


def delete(transaction: Transaction, memory: Memory, public_id: str, *, by: Caller) -> None:
    """Revokes a token. TocsinError: NOT_FOUND."""
    gone = api_tokens.by_public_id(transaction.connection, public_id)
    if gone is None:
        raise not_found(f"apiTokens/{public_id}")
    api_tokens.delete(transaction.connection, public_id)
    audit.record(transaction, by, gone.name, audit.of_token(gone), audit.NOTHING)
    transaction.after_commit(lambda: memory.keyring.remove(gone))


def note_uses(transaction: Transaction, memory: Memory) -> None:
    """Writes down when tokens were used since the last time."""
    api_tokens.note_uses(transaction.connection, memory.keyring.take_uses().items())
