"""What starts an escalation, what stops it, and what has it begin anew."""

from collections.abc import Callable

import grpc
import pytest
from changing import batch, delete, make_route, remove_route, wipe
from escalating import (
    chain,
    contact,
    delivered,
    edit,
    forget_contact,
    messages,
    number,
    progress,
    route_tells,
    runs,
    said,
    tells,
    write,
)
from fake_clock import MINUTE, SECOND
from google.protobuf.duration_pb2 import Duration
from maintaining import collectors, finish, maintain, stop
from notices import notice
from running_daemon import AlertGroup, Integration, RunningDaemon, duration, reason

from tocsin.v1 import integrations_pb2
from tocsind.domain.escalation_chain import Notify, Wait
from tocsind.engine.figures import WHEELS_OF_MEMORY as _  # noqa: F401
