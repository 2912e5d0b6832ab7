"""MessageService."""

from contextlib import ExitStack

import grpc

from tocsin.v1 import messages_pb2, messages_pb2_grpc
from tocsind.domain.errors import invalid, not_found
from tocsind.domain.message import MessageState
from tocsind.engine.engine import Engine
from tocsind.engine.telling import outbox as jobs
from tocsind.rpc import encode, names, paging
from tocsind.rpc.access import caller
from tocsind.rpc.mutation import change
from tocsind.rpc.slow_lists import SlowLists
from tocsind.sqlite import alert_groups, contact_points
from tocsind.sqlite import messages as rows
from tocsind.sqlite.messages import MessageFilter

_OF_ALL = "alertGroups/-"


class MessageServicer(messages_pb2_grpc.MessageServiceServicer):
    """Shows the outbox, and has messages sent again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._slow_lists = SlowLists(engine.clock)

    def GetMessage(
        self, request: messages_pb2.GetMessageRequest, context: grpc.ServicerContext
    ) -> messages_pb2.Message:
        """Returns one message."""
        group_id, message_id = names.message_of(request.name)
        with self._engine.store.reading() as connection:
            found = rows.one(connection, group_id, message_id)
        if found is None:
            raise not_found(request.name)
        return encode.message(found)

    def ListMessages(
        self, request: messages_pb2.ListMessagesRequest, context: grpc.ServicerContext
    ) -> messages_pb2.ListMessagesResponse:
        """Lists messages, newest first."""
        group_id = None if request.parent == _OF_ALL else names.group_number(request.parent, "parent")
        contact = names.contact_id(request.contact_point, "contact_point") if request.contact_point else ""
        states = frozenset(_state(number, index) for index, number in enumerate(request.states))
        size = paging.size(request.page_size)
        scope = f"{request.parent}/messages {sorted(states)} {contact}"
        before = paging.number_after(scope, request.page_token, rows.NEWEST)
        with self._engine.store.reading() as connection:
            if group_id is not None and alert_groups.by_id(connection, group_id) is None:
                raise not_found(request.parent)
            contact_id = contact_points.any_id(connection, contact) if contact else None
        if contact and contact_id is None:
            raise not_found(request.contact_point)
        wanted = MessageFilter(group_id, states, contact_id)
        with ExitStack() as stack:
            if wanted.is_slow:
                stack.enter_context(self._slow_lists.place())
            connection = stack.enter_context(self._engine.store.reading())
            found, go_on_from = rows.page(connection, wanted, before, size)
        return messages_pb2.ListMessagesResponse(
            messages=[encode.message(row) for row in found],
            next_page_token=paging.token(scope, go_on_from) if go_on_from is not None else "",
        )

    def RetryMessage(
        self, request: messages_pb2.RetryMessageRequest, context: grpc.ServicerContext
    ) -> messages_pb2.Message:
        """Has a message sent now."""
        group_id, message_id = names.message_of(request.name)
        return change(self._engine, request, encode.message, jobs.retry, group_id, message_id, by=caller())


def _state(number: int, index: int) -> MessageState:
    try:
        return MessageState(number)
    except ValueError:
        raise invalid(f"states[{index}]", "must be one of the states, and not unspecified") from None
