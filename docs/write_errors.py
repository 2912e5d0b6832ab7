"""Writes docs/errors.md from the table of reasons: `python docs/write_errors.py > docs/errors.md`.

Which details an error bears is not written down here a second time: one of each reason is made and looked into. A test
fails while docs/errors.md says anything but what this prints. It stands beside the page, not in the daemon, because
nothing that is installed needs it.
"""

from collections.abc import Iterator

from google.rpc import code_pb2, error_details_pb2

from tocsind.domain.errors import Reason, TocsinError
from tocsind.rpc.error_details import CODES, DOMAIN, refusal

_INTRODUCTION = f"""\
# Errors

<!-- Written by `python docs/write_errors.py > docs/errors.md` from daemon/tocsind/domain/reasons.py. Change that. -->

When Tocsin refuses a call, nothing that it asked for was done. What was wrong is said three times:

- the **code** of gRPC's status says what kind of failure it is;
- the **reason** says which one, for programs: decide by it. Names of reasons do not change;
- the **message** says it to people, with names and values. Show it, and do not take it apart: its words may change.

Reason and values are in the details of the status (`google.rpc.Status`, in the trailer `grpc-status-details-bin`):

| detail | what it holds | where |
| --- | --- | --- |
| `ErrorInfo` | `reason`, `domain` (always `{DOMAIN}`), and as `metadata` the values in the message | every error |
| `BadRequest` | the path of the field in the request, such as `integration.display_name`, and what is wrong with it | \
INVALID_ARGUMENT, OUT_OF_RANGE |
| `ResourceInfo` | type and name of the thing that is not there, or is there already | NOT_FOUND, ALREADY_EXISTS |
| `PreconditionFailure` | the thing whose state forbids it (`subject`), and the reason once more (`type`) | \
FAILED_PRECONDITION |
| `QuotaFailure` | which limit is reached | a limit that all callers share |
| `RetryInfo` | how long to wait before the same request may succeed | where waiting helps; without it, it does not |

The metadata `resource` is the resource name of what the error is about, where there is one; `field` is the field, where
no BadRequest has it.

In Python, with the package `grpcio-status`:

```python
from google.rpc import error_details_pb2
from grpc_status import rpc_status

try:
    groups.UnresolveAlertGroup(request)
except grpc.RpcError as error:
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(error)
    found = status is not None and any(detail.Unpack(info) for detail in status.details)
    if found and info.reason == "ANOTHER_IS_OPEN":
        print("go to", info.metadata["other"])
```

In a batch, the call succeeds, and each item that failed has the same status with the same details as `error`.

## Errors without a reason

Not every error comes from Tocsin's own code. gRPC itself refuses calls before the daemon sees them, and clients make
errors of their own. These have a code and a message, but no details; so treat an error without `ErrorInfo` by its code:

| code | when |
| --- | --- |
| UNIMPLEMENTED | the daemon does not know this call: it is older than the client |
| RESOURCE_EXHAUSTED | a message is too large: often an answer, where the client takes 4 MiB, gRPC's default |
| INTERNAL | the request could not be decoded: client and server speak different contracts |
| UNAVAILABLE | nobody listens at the address, or the connection broke: try again |
| DEADLINE_EXCEEDED | the caller's deadline has passed; the request may have been carried out all the same |
| CANCELLED | the caller gave up |

## All reasons
"""


def page() -> str:
    """Returns the whole of docs/errors.md."""
    lines = [_INTRODUCTION, "| reason | code |", "| --- | --- |"]
    lines += [f"| [{reason.name}](#{reason.name.lower()}) | {_code(reason)} |" for reason in Reason]
    for reason in Reason:
        lines += _section(reason)
    return "\n".join(lines) + "\n"


def _section(reason: Reason) -> Iterator[str]:
    entry = reason.value
    yield from ("", f"### {reason.name}", "", entry.meaning, "")
    yield f"- Code: {_code(reason)}"
    yield f"- What to do: {entry.advice}"
    yield f"- Details: {', '.join(_details(reason))}"
    if entry.metadata:
        yield f"- Metadata: {', '.join(f'`{key}`' for key in entry.metadata)}"


def _code(reason: Reason) -> str:
    return str(code_pb2.Code.Name(CODES[reason.code]))


def _details(reason: Reason) -> Iterator[str]:
    example = TocsinError(reason, "...", field="name", resource="alertGroups/1")
    for packed in refusal(example).details:
        name = packed.type_url.rpartition(".")[2]
        retry = error_details_pb2.RetryInfo()
        yield f"{name} ({retry.retry_delay.seconds} s)" if packed.Unpack(retry) else name


if __name__ == "__main__":
    print(page(), end="")
