"""AuditService."""

import grpc

from tocsin.v1 import audit_pb2, audit_pb2_grpc
from tocsind.engine.engine import Engine
from tocsind.rpc import audit_filter, encode, paging
from tocsind.sqlite import audit as rows


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """Reads the audit log."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ListAuditEntries(
        self, request: audit_pb2.ListAuditEntriesRequest, context: grpc.ServicerContext
    ) -> audit_pb2.ListAuditEntriesResponse:
        """Lists entries, newest first."""
        size = paging.size(request.page_size)
        wanted = audit_filter.parse(request.filter)
        scope = f"auditEntries {wanted}"
        before = paging.number_after(scope, request.page_token, rows.NEWEST)
        with self._engine.store.reading() as connection:
            found, go_on_from = rows.page(connection, wanted, before, size)
        return audit_pb2.ListAuditEntriesResponse(
            audit_entries=[encode.audit_entry(row) for row in found],
            next_page_token=paging.token(scope, go_on_from) if go_on_from is not None else "",
        )
