"""The part of the fake daemon that keeps contact points, escalation chains and messages."""

from datetime import timedelta
from typing import Any

import grpc
from fake_records import now, page_of
from fake_routing import FakeRouting
from google.protobuf.empty_pb2 import Empty

from tocsin.v1 import contact_points_pb2 as contacts_api
from tocsin.v1 import escalation_chains_pb2 as chains_api
from tocsin.v1 import messages_pb2 as messages_api
from tocsin.v1.contact_points_pb2_grpc import (
    ContactPointServiceServicer,
    add_ContactPointServiceServicer_to_server,
)
from tocsin.v1.escalation_chains_pb2_grpc import (
    EscalationChainServiceServicer,
    add_EscalationChainServiceServicer_to_server,
)
from tocsin.v1.messages_pb2_grpc import MessageServiceServicer, add_MessageServiceServicer_to_server

State = messages_api.Message.State


class FakeTelling(FakeRouting, ContactPointServiceServicer, EscalationChainServiceServicer, MessageServiceServicer):
    """Three services more. Secrets are kept in `secrets`, and not told."""

    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[str, contacts_api.ContactPoint] = {}
        self.secrets: dict[str, contacts_api.ContactPoint] = {}
        self.chains: dict[str, chains_api.EscalationChain] = {}
        self.messages: dict[str, messages_api.Message] = {}
        self.outcomes: list[contacts_api.TestOutcome] = []
        self.shifts: list[contacts_api.Shift] = []
        self.refused_messages: dict[str, tuple[grpc.StatusCode, str]] = {}

    def add_telling_to(self, server: grpc.Server) -> None:
        add_ContactPointServiceServicer_to_server(self, server)
        add_EscalationChainServiceServicer_to_server(self, server)
        add_MessageServiceServicer_to_server(self, server)

    # -- for tests

    def add_contact(self, id_: str, **values: Any) -> contacts_api.ContactPoint:
        values = {"display_name": id_.title()} | values
        contact = contacts_api.ContactPoint(name=f"contactPoints/{id_}", **values)
        contact.create_time.FromDatetime(now())
        self.contacts[contact.name] = contact
        return contact

    def add_chain(self, id_: str, **values: Any) -> chains_api.EscalationChain:
        values = {"display_name": id_.title()} | values
        chain = chains_api.EscalationChain(name=f"escalationChains/{id_}", **values)
        chain.create_time.FromDatetime(now())
        self.chains[chain.name] = chain
        return chain

    def add_message(self, group: int, number: int, **values: Any) -> messages_api.Message:
        message = messages_api.Message(name=f"alertGroups/{group}/messages/{number}", **values)
        message.create_time.FromDatetime(now())
        self.messages[message.name] = message
        return message

    def add_shift(self, on_call: str, hours: float, length: float, *people: str, **values: Any) -> contacts_api.Shift:
        shift = contacts_api.Shift(on_call=f"contactPoints/{on_call}", people=people, **values)
        shift.start_time.FromDatetime(now() + timedelta(hours=hours))
        shift.end_time.FromDatetime(now() + timedelta(hours=hours + length))
        self.shifts.append(shift)
        return shift

    # -- contact points

    def CreateContactPoint(self, request: Any, context: grpc.ServicerContext) -> contacts_api.ContactPoint:
        self._called("CreateContactPoint", request, context)
        contact = self.add_contact(f"c{len(self.contacts)}")
        contact.MergeFrom(request.contact_point)
        return self._masked(contact)

    def GetContactPoint(self, request: Any, context: grpc.ServicerContext) -> contacts_api.ContactPoint:
        self._called("GetContactPoint", request, context)
        return self._find(self.contacts, request.name, context)

    def ListContactPoints(self, request: Any, context: grpc.ServicerContext) -> contacts_api.ListContactPointsResponse:
        self._called("ListContactPoints", request, context)
        page, token = page_of(list(self.contacts.values()), request)
        return contacts_api.ListContactPointsResponse(contact_points=page, next_page_token=token)

    def UpdateContactPoint(self, request: Any, context: grpc.ServicerContext) -> contacts_api.ContactPoint:
        self._called("UpdateContactPoint", request, context)
        contact = self._find(self.contacts, request.contact_point.name, context)
        request.update_mask.MergeMessage(request.contact_point, contact, True, True)
        return self._masked(contact)

    def DeleteContactPoint(self, request: Any, context: grpc.ServicerContext) -> Empty:
        self._called("DeleteContactPoint", request, context)
        self._find(self.contacts, request.name, context)
        del self.contacts[request.name]
        return Empty()

    def TestContactPoint(self, request: Any, context: grpc.ServicerContext) -> contacts_api.TestContactPointResponse:
        self._called("TestContactPoint", request, context)
        self._find(self.contacts, request.name, context)
        return contacts_api.TestContactPointResponse(outcomes=self.outcomes)

    def ListShifts(self, request: Any, context: grpc.ServicerContext) -> contacts_api.ListShiftsResponse:
        self._called("ListShifts", request, context)
        wanted = [shift for shift in self.shifts if request.parent in (shift.on_call, "contactPoints/-")]
        return contacts_api.ListShiftsResponse(shifts=wanted)

    # -- escalation chains

    def CreateEscalationChain(self, request: Any, context: grpc.ServicerContext) -> chains_api.EscalationChain:
        self._called("CreateEscalationChain", request, context)
        chain = self.add_chain(f"e{len(self.chains)}")
        chain.MergeFrom(request.escalation_chain)
        return chain

    def GetEscalationChain(self, request: Any, context: grpc.ServicerContext) -> chains_api.EscalationChain:
        self._called("GetEscalationChain", request, context)
        return self._find(self.chains, request.name, context)

    def ListEscalationChains(
        self, request: Any, context: grpc.ServicerContext
    ) -> chains_api.ListEscalationChainsResponse:
        self._called("ListEscalationChains", request, context)
        page, token = page_of(list(self.chains.values()), request)
        return chains_api.ListEscalationChainsResponse(escalation_chains=page, next_page_token=token)

    def UpdateEscalationChain(self, request: Any, context: grpc.ServicerContext) -> chains_api.EscalationChain:
        self._called("UpdateEscalationChain", request, context)
        chain = self._find(self.chains, request.escalation_chain.name, context)
        request.update_mask.MergeMessage(request.escalation_chain, chain, True, True)
        return chain

    def DeleteEscalationChain(self, request: Any, context: grpc.ServicerContext) -> Empty:
        self._called("DeleteEscalationChain", request, context)
        self._find(self.chains, request.name, context)
        del self.chains[request.name]
        return Empty()

    # -- messages

    def GetMessage(self, request: Any, context: grpc.ServicerContext) -> messages_api.Message:
        self._called("GetMessage", request, context)
        return self._find(self.messages, request.name, context)

    def ListMessages(self, request: Any, context: grpc.ServicerContext) -> messages_api.ListMessagesResponse:
        self._called("ListMessages", request, context)
        wanted = [
            message
            for message in reversed(self.messages.values())
            if request.parent == "alertGroups/-" or message.name.startswith(f"{request.parent}/")
            if not request.states or message.state in request.states
            if request.contact_point in ("", message.contact_point)
        ]
        page, token = page_of(wanted, request)
        return messages_api.ListMessagesResponse(messages=page, next_page_token=token)

    def RetryMessage(self, request: Any, context: grpc.ServicerContext) -> messages_api.Message:
        self._called("RetryMessage", request, context)
        if request.name in self.refused_messages:
            context.abort(*self.refused_messages[request.name])
        message = self._find(self.messages, request.name, context)
        message.state = State.PENDING
        return message

    # -- inside

    def _masked(self, contact: contacts_api.ContactPoint) -> contacts_api.ContactPoint:
        """Keep what is secret of a contact point, and return it without."""
        kept = contacts_api.ContactPoint()
        kept.CopyFrom(contact)
        self.secrets[contact.name] = kept
        if contact.HasField("webhook"):
            contact.webhook.is_signed = contact.webhook.is_signed or bool(contact.webhook.signing_secret)
            for secret in ("url", "signing_secret", "client_key"):
                contact.webhook.ClearField(secret)
            for header in contact.webhook.headers:
                contact.webhook.headers[header] = "****"
        if contact.HasField("apprise"):
            contact.apprise.ClearField("url")
            contact.apprise.service = "Mail"
        return contact
