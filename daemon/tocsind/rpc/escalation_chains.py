"""EscalationChainService."""

import grpc
from google.protobuf import empty_pb2

from tocsin.v1 import escalation_chains_pb2, escalation_chains_pb2_grpc
from tocsind.engine.engine import Engine


class EscalationChainServicer(escalation_chains_pb2_grpc.EscalationChainServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def CreateEscalationChain(
        self, request: escalation_chains_pb2.CreateEscalationChainRequest, context: grpc.ServicerContext
    ) -> escalation_chains_pb2.EscalationChain:
        """CreateEscalationChain."""
        raise NotImplementedError

    def GetEscalationChain(
        self, request: escalation_chains_pb2.GetEscalationChainRequest, context: grpc.ServicerContext
    ) -> escalation_chains_pb2.EscalationChain:
        """GetEscalationChain."""
        raise NotImplementedError

    def ListEscalationChains(
        self, request: escalation_chains_pb2.ListEscalationChainsRequest, context: grpc.ServicerContext
    ) -> escalation_chains_pb2.ListEscalationChainsResponse:
        """ListEscalationChains."""
        raise NotImplementedError

    def UpdateEscalationChain(
        self, request: escalation_chains_pb2.UpdateEscalationChainRequest, context: grpc.ServicerContext
    ) -> escalation_chains_pb2.EscalationChain:
        """UpdateEscalationChain."""
        raise NotImplementedError

    def DeleteEscalationChain(
        self, request: escalation_chains_pb2.DeleteEscalationChainRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """DeleteEscalationChain."""
        raise NotImplementedError
