"""TemplateService."""

import grpc

from tocsin.v1 import templates_pb2, templates_pb2_grpc
from tocsind.engine.engine import Engine


class TemplateServicer(templates_pb2_grpc.TemplateServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def PreviewTemplate(
        self, request: templates_pb2.PreviewTemplateRequest, context: grpc.ServicerContext
    ) -> templates_pb2.PreviewTemplateResponse:
        """Renders a template."""
        raise NotImplementedError
