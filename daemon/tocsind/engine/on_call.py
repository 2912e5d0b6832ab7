"""Who is on call: which contact points a contact point of that kind stands for."""

import sqlite3
from dataclasses import dataclass, field

from tocsind.domain.contact_point import ContactPoint


@dataclass(frozen=True, slots=True)
class OnDuty:
    """Who is to be told. `problems`: in a line each, what is wrong: nobody is on call, people whom no contact point is
    called, a calendar of which an old copy is used."""

    contacts: tuple[int, ...] = ()
    people: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())


def now(connection: sqlite3.Connection, contact: ContactPoint, moment: int) -> OnDuty:
    """Returns who is on call at a time, by a contact point of that kind."""
    return OnDuty(problems=(f"nobody is on call for {contact.display_name}",))
