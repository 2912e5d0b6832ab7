"""MessageService."""

import grpc

from tocsin.v1 import messages_pb2, messages_pb2_grpc
from tocsind.engine.engine import Engine


class MessageServicer(messages_pb2_grpc.MessageServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def GetMessage(
        self, request: messages_pb2.GetMessageRequest, context: grpc.ServicerContext
    ) -> messages_pb2.Message:
        """GetMessage."""
        raise NotImplementedError

    def ListMessages(
        self, request: messages_pb2.ListMessagesRequest, context: grpc.ServicerContext
    ) -> messages_pb2.ListMessagesResponse:
        """ListMessages."""
        raise NotImplementedError

    def RetryMessage(
        self, request: messages_pb2.RetryMessageRequest, context: grpc.ServicerContext
    ) -> messages_pb2.Message:
        """RetryMessage."""
        raise NotImplementedError
