"""TemplateService, and what other services check templates with before they save them."""

from collections.abc import Mapping

import grpc

from tocsin.v1 import templates_pb2, templates_pb2_grpc
from tocsind.domain.errors import Reason, TocsinError, invalid, not_found, not_in_time
from tocsind.domain.rulebook import Rulebook
from tocsind.domain.template import MAX_SOURCE, Slot
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
        if len(request.template) > MAX_SOURCE:
            raise invalid("template", f"must be at most {MAX_SOURCE:,} characters")
        if request.use not in _SLOTS:
            raise invalid("use", "must be one of PreviewTemplateRequest.Use")
        with self._engine.store.reading() as connection:
            integration = integrations.by_public_id(connection, public_id)
            if integration is None:
                raise not_found(request.integration)
            rulebook = Rulebook(integration, routes.of_integration(connection, integration.id))
            if request.WhichOneof("given") == "payload":
                sample = payloads.given(request.payload)
            elif request.WhichOneof("given") == "alert_group":
                sample = payloads.of_group(connection, integration, request.alert_group)
            else:
                sample = payloads.last(connection, integration)
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


def check_templates(engine: Engine, templates: Mapping[Slot, str], field: str) -> None:
    """Compiles templates before they are saved; `field` is the path of the message that holds them, such as
    `integration.templates`. TocsinError (INVALID) for the first that is none, with its field, line and error;
    UNAVAILABLE where they cannot be checked now."""
    _check(engine, {f"{field}.{slot.value}": source for slot, source in templates.items()})


def check_template(engine: Engine, source: str, field: str) -> None:
    """The same for one template; `field` is the path of the field that holds it, such as `route.jinja`."""
    _check(engine, {field: source})


def _check(engine: Engine, sources: Mapping[str, str]) -> None:
    for field, source in sources.items():
        if len(source) > MAX_SOURCE:
            raise invalid(field, f"must be at most {MAX_SOURCE:,} characters")
    for field, made in zip(sources, engine.renderer.check(list(sources.values())), strict=True):
        if made.error in NO_FAULT_OF_ITS_OWN:
            raise not_in_time(f"templates cannot be checked now: {made.error}")
        if made.error:
            where = f"line {made.line}: " if made.line else ""
            raise invalid(field, f"is not a template: {where}{made.error}")
