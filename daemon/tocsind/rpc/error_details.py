"""What an error says: from the domain's refusals to `google.rpc.Status`, with details for machines.

Rules (https://google.aip.dev/193)
- Every error bears an ErrorInfo: the reason, the domain "tocsin", and as metadata the values that the message mentions.
- Beside it, one about a value in the request bears a BadRequest that names its field; one about a thing that is not
  there, or is there already, a ResourceInfo; one that the state of a thing forbids, a PreconditionFailure; one about a
  limit that all callers share, a QuotaFailure.
- RetryInfo says that the same request may succeed later without anybody's doing; without it, repeating is no use.
- The types of resources are those of the contract, recognised by the patterns of their names.
"""

import re
from collections.abc import Iterator

from google.api import resource_pb2  # type: ignore[import-untyped]
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from tocsind.domain.errors import Code, Reason, TocsinError
from tocsind.rpc.contract import MODULES

DOMAIN = "tocsin"

CODES: dict[Code, code_pb2.Code.ValueType] = {
    Code.INVALID: code_pb2.INVALID_ARGUMENT,
    Code.NOT_FOUND: code_pb2.NOT_FOUND,
    Code.EXISTS: code_pb2.ALREADY_EXISTS,
    Code.FORBIDDEN_NOW: code_pb2.FAILED_PRECONDITION,
    Code.OUT_OF_RANGE: code_pb2.OUT_OF_RANGE,
    Code.ABORTED: code_pb2.ABORTED,
    Code.EXHAUSTED: code_pb2.RESOURCE_EXHAUSTED,
    Code.UNAVAILABLE: code_pb2.UNAVAILABLE,
    Code.UNAUTHENTICATED: code_pb2.UNAUTHENTICATED,
    Code.FORBIDDEN: code_pb2.PERMISSION_DENIED,
    Code.INTERNAL: code_pb2.INTERNAL,
}


def refusal(error: TocsinError) -> status_pb2.Status:
    """Returns the status, with details, for a refusal: of a call, or of one item of a batch (`BatchResult.error`)."""
    status = status_pb2.Status(code=CODES[error.code], message=error.message)
    for detail in _details(error):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def internal() -> status_pb2.Status:
    """Returns the status for an exception that nobody foresaw. What it was is for the log, not for callers."""
    return refusal(TocsinError(Reason.INTERNAL, "internal error; the daemon's log says more"))


def resource_type(name: str) -> str:
    """Returns the type of what bears a resource name, such as `tocsin/AlertGroup`; empty where it is of none."""
    return next((kind for pattern, kind in _RESOURCES if pattern.fullmatch(name)), "")


def _details(error: TocsinError) -> Iterator[Message]:
    in_request = error.code in (Code.INVALID, Code.OUT_OF_RANGE) and error.field != ""
    told = {"resource": error.resource, "field": "" if in_request else error.field, **error.metadata}
    metadata = {key: value for key, value in told.items() if value}
    yield error_details_pb2.ErrorInfo(reason=error.reason.name, domain=DOMAIN, metadata=metadata)
    if in_request:
        violations = error.violations or [(error.field, error.message.removeprefix(f"{error.field}: "))]
        yield error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(field=field, description=wanted, reason=error.reason.name)
                for field, wanted in violations
            ]
        )
    if error.code in (Code.NOT_FOUND, Code.EXISTS):
        yield error_details_pb2.ResourceInfo(
            resource_type=resource_type(error.resource), resource_name=error.resource, description=error.message
        )
    if error.code is Code.FORBIDDEN_NOW:
        failed = error_details_pb2.PreconditionFailure.Violation(
            type=error.reason.name, subject=error.resource, description=error.message
        )
        yield error_details_pb2.PreconditionFailure(violations=[failed])
    if error.reason is Reason.TOO_MANY_WATCHERS:
        exceeded = error_details_pb2.QuotaFailure.Violation(subject="daemon", description=error.message)
        yield error_details_pb2.QuotaFailure(violations=[exceeded])
    if error.reason.value.retry_after:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.seconds = error.reason.value.retry_after
        yield retry


def _resources() -> Iterator[tuple[re.Pattern[str], str]]:
    for module in MODULES:
        for message in module.DESCRIPTOR.message_types_by_name.values():
            described = message.GetOptions().Extensions[resource_pb2.resource]
            for pattern in described.pattern:
                yield re.compile(re.sub(r"\{\w+\}", "[^/]+", pattern)), described.type


_RESOURCES = list(_resources())
