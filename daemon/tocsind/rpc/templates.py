"""TemplateService, and what other services check templates with before they save them."""

from collections.abc import Iterator, Mapping

import grpc

from tocsin.v1 import templates_pb2, templates_pb2_grpc
from tocsind.domain.errors import Reason, TocsinError, Violation, invalid, not_found, not_in_time
from tocsind.domain.rulebook import Rulebook
from tocsind.domain.template import Slot, check_source
from tocsind.engine.engine import Engine
from tocsind.rendering.renderer import NO_FAULT_OF_ITS_OWN
from tocsind.rpc import names, payloads
from tocsind.sqlite import integrations, routes

_Use = templates_pb2.PreviewTemplateRequest.Use
_SLOTS: dict[int, Slot | None] = {
    # The limits of a message hold for any text.
    _Use.USE_UNSPECIFIED: Slot.MESSAGE,
    _Use.ROUTE_CONDITION: None,
    **{_Use.Value(slot.name): slot for slot in Slot},
}


class TemplateServicer(templates_pb2_grpc.TemplateServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def PreviewTemplate(
        self, request: templates_pb2.PreviewTemplateRequest, context: grpc.ServicerContext
    ) -> templates_pb2.PreviewTemplateResponse:
        """Renders a template."""
        public_id = names.integration_id(request.integration, "integration")
        check_source(request.template, "template")
        if request.use not in _SLOTS:
            raise invalid("use", "must be one of PreviewTemplateRequest.Use")
        with self._engine.store.reading() as connection:
            integration = integrations.by_public_id(connection, public_id)
            if integration is None:
                raise not_found(request.integration)
            rulebook = Rulebook(integration, routes.of_integration(connection, integration.id))
            sample = payloads.wanted(connection, integration, request)
        if sample.payload is None:
            message = f"no notification made {sample.group}: give a payload"
            raise TocsinError(Reason.NO_PAYLOAD, message, resource=sample.group)
        made = self._engine.renderer.preview(rulebook, _SLOTS[request.use], request.template, sample.payload)
        return templates_pb2.PreviewTemplateResponse(
            result=made.text,
            is_true=made.is_true,
            shortened=made.shortened,
            error=made.error,
            error_line=made.line,
            alert_group=sample.group,
        )


def jinja_violations(engine: Engine, sources: Mapping[str, str]) -> Iterator[Violation]:
    """Compiles templates before they are saved, each under the path of its field in the request, and yields those that
    are none, with line and error. TocsinError (UNAVAILABLE) where they cannot be checked now."""
    for field, made in zip(sources, engine.renderer.check(list(sources.values())), strict=True):
        if made.error in NO_FAULT_OF_ITS_OWN:
            raise not_in_time(f"templates cannot be checked now: {made.error}")
        where = f"line {made.line}: " if made.line else ""
        if made.error:
            yield field, f"is not a template: {where}{made.error}"
