"""ContactPointService.

Rules
- Before anything is stored, all of it is looked at that can be known now: calendars are read, apprise is asked whether
  it knows an address, OpenSSL whether it can use certificates, and templates are compiled and tried out. What is wrong
  is refused with the field named; no refusal says anything of a secret.
- That takes its time, so it is done by the thread that serves the call, and never where changes are written. The answer
  to a repeat is looked for first.
"""

from collections.abc import Collection, Iterator
from concurrent.futures import TimeoutError as WaitedTooLong
from dataclasses import replace
from functools import partial
from typing import Final

import grpc
from google.protobuf import empty_pb2

from tocsin.v1 import contact_points_pb2, contact_points_pb2_grpc
from tocsind.courier.wire import Look
from tocsind.domain import contact_point as rules
from tocsind.domain import etag as etags
from tocsind.domain.contact_point import Apprise, ContactPoint, OnCall, Webhook
from tocsind.domain.errors import Violation, invalid, not_found, not_in_time, refuse
from tocsind.domain.masking import scrub
from tocsind.engine import contact_points as jobs
from tocsind.engine.contact_points import Copies, Shown
from tocsind.engine.engine import Engine
from tocsind.engine.telling import bulletins, calendars
from tocsind.rpc import certificates, encode, names, paging
from tocsind.rpc import contact_point_fields as fields
from tocsind.rpc.access import caller
from tocsind.rpc.contact_point_trial import Trial
from tocsind.rpc.mutation import change, repeated
from tocsind.rpc.shifts import list_shifts
from tocsind.rpc.templates import jinja_violations
from tocsind.sqlite import calendars as calendar_rows
from tocsind.sqlite import contact_points as rows

LOOK_PATIENCE: Final = 15.0
"""Seconds to wait for what apprise says of an address; it takes milliseconds once its process has started."""

_SCOPE = "contactPoints"


class ContactPointServicer(contact_points_pb2_grpc.ContactPointServiceServicer):
    """Decodes, looks, calls, encodes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._trial = Trial(engine)

    def CreateContactPoint(
        self, request: contact_points_pb2.CreateContactPointRequest, context: grpc.ServicerContext
    ) -> contact_points_pb2.ContactPoint:
        """Creates a contact point."""
        kept = repeated(self._engine, request, contact_points_pb2.ContactPoint)
        if kept is not None:
            return kept
        wanted = fields.created(request.contact_point)
        wanted, copies = self._looked_at(None, wanted, request.contact_point, fields.EVERY)
        respond = partial(fields.shown, standing=(0, ""))
        return change(self._engine, request, respond, jobs.create, wanted, copies, by=caller())

    def GetContactPoint(
        self, request: contact_points_pb2.GetContactPointRequest, context: grpc.ServicerContext
    ) -> contact_points_pb2.ContactPoint:
        """Returns one contact point."""
        return self._encode([self._find(request.name, "name")])[0]

    def ListContactPoints(
        self, request: contact_points_pb2.ListContactPointsRequest, context: grpc.ServicerContext
    ) -> contact_points_pb2.ListContactPointsResponse:
        """Lists contact points."""
        size = paging.size(request.page_size)
        after = paging.text_after(_SCOPE, request.page_token)
        with self._engine.store.reading() as connection:
            found = rows.page(connection, after, size + 1)
        page, next_token = paging.cut(_SCOPE, found, size, lambda contact: contact.display_name)
        return contact_points_pb2.ListContactPointsResponse(
            contact_points=self._encode(page), next_page_token=next_token
        )

    def UpdateContactPoint(
        self, request: contact_points_pb2.UpdateContactPointRequest, context: grpc.ServicerContext
    ) -> contact_points_pb2.ContactPoint:
        """Changes a contact point."""
        kept = repeated(self._engine, request, contact_points_pb2.ContactPoint)
        if kept is not None:
            return kept
        asked = request.contact_point
        before = self._find(asked.name, "contact_point.name")
        etags.check(asked.etag, before.etag, before.name)
        wanted, paths = fields.updated(before, asked, request.update_mask.paths)
        wanted, copies = self._looked_at(before, wanted, asked, paths)
        respond = partial(fields.shown, standing=self._engine.memory.outbox.standing([before.id])[before.id])
        return change(self._engine, request, respond, jobs.update, before, wanted, copies, by=caller())

    def DeleteContactPoint(
        self, request: contact_points_pb2.DeleteContactPointRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Deletes a contact point."""
        public_id = names.contact_id(request.name)
        return change(
            self._engine,
            request,
            encode.nothing,
            jobs.delete,
            public_id,
            request.etag,
            force=request.force,
            by=caller(),
        )

    async def TestContactPoint(
        self, request: contact_points_pb2.TestContactPointRequest, context: grpc.ServicerContext
    ) -> contact_points_pb2.TestContactPointResponse:
        """Sends a test message."""
        return await self._trial.run(names.contact_id(request.name))

    def ListShifts(
        self, request: contact_points_pb2.ListShiftsRequest, context: grpc.ServicerContext
    ) -> contact_points_pb2.ListShiftsResponse:
        """Lists who is on call when."""
        return list_shifts(self._engine, request)

    def _find(self, name: str, field: str) -> ContactPoint:
        public_id = names.contact_id(name, field)
        with self._engine.store.reading() as connection:
            found = rows.by_public_id(connection, public_id)
        if found is None:
            raise not_found(name)
        return found

    def _encode(self, contacts: Collection[ContactPoint]) -> list[contact_points_pb2.ContactPoint]:
        with self._engine.store.reading() as connection:
            states = calendar_rows.states(connection)
        standing = self._engine.memory.outbox.standing(contact.id for contact in contacts)
        return [fields.shown(Shown(each, states.get(each.id, {})), standing[each.id]) for each in contacts]

    def _looked_at(
        self,
        before: ContactPoint | None,
        wanted: ContactPoint,
        asked: contact_points_pb2.ContactPoint,
        paths: Collection[str],
    ) -> tuple[ContactPoint, Copies]:
        """Returns what is wanted with what a look at it tells, and its calendars that `paths` name. TocsinError
        (INVALID, UNAVAILABLE) where it is not good."""
        refuse(list(rules.violations(wanted)))
        refuse([*self._template_violations(before, wanted)])
        match wanted.settings:
            case Webhook() as webhook:
                refuse(list(certificates.violations(webhook)))
                return replace(wanted, target=rules.target(webhook)), {}
            case Apprise() as apprise:
                return (self._known(wanted, apprise) if "apprise.url" in paths else wanted), {}
            case OnCall() as on_call:
                copies = {
                    role: calendars.admit(self._engine, role.path, source, fields.text_of(asked, role))
                    for role, source in on_call.calendars.items()
                    if f"on_call.{role.name.lower()}" in paths
                }
                return replace(wanted, target=rules.target(on_call)), copies

    def _template_violations(self, before: ContactPoint | None, wanted: ContactPoint) -> Iterator[Violation]:
        """Yields the templates that are none, and those that fail."""
        sources = {
            f"contact_point.{name}": getattr(wanted, name)
            for name in ("title_template", "body_template")
            if getattr(wanted, name) and (before is None or getattr(before, name) != getattr(wanted, name))
        }
        if not sources:
            return
        broken = list(jinja_violations(self._engine, sources))
        yield from broken
        if not broken:
            yield from bulletins.try_templates(self._engine.renderer, wanted)

    def _known(self, wanted: ContactPoint, apprise: Apprise) -> ContactPoint:
        """Returns it with what apprise says of its address. TocsinError (INVALID) where it does not know that."""
        try:
            outcome = self._engine.courier.send(Look(apprise.url)).result(LOOK_PATIENCE)
        except WaitedTooLong:
            raise not_in_time("apprise does not say whether it knows the address") from None
        if not outcome.done:
            why = scrub(outcome.answer, rules.secrets(apprise))
            raise invalid("contact_point.apprise.url", why or "is no address that apprise can use")
        return replace(wanted, settings=replace(apprise, service=outcome.service), target=outcome.target)
