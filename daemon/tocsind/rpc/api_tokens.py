"""AccessService: API tokens, and who the caller is."""

import grpc
from google.protobuf import empty_pb2

from tocsin.v1 import access_pb2, access_pb2_grpc
from tocsind.domain.access import ApiToken, Role
from tocsind.domain.errors import invalid, not_found
from tocsind.engine import api_tokens as jobs
from tocsind.engine.engine import Engine
from tocsind.rpc import decode, encode, names, paging
from tocsind.rpc.access import caller
from tocsind.rpc.mutation import change
from tocsind.sqlite import api_tokens as rows

_SCOPE = "apiTokens"


class AccessServicer(access_pb2_grpc.AccessServiceServicer):
    """The keys to the API."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def CreateApiToken(
        self, request: access_pb2.CreateApiTokenRequest, context: grpc.ServicerContext
    ) -> access_pb2.ApiToken:
        """Creates a token."""
        asked = request.api_token
        if int(asked.role) not in [int(role) for role in Role]:
            raise invalid("api_token.role", f"must be one of: {', '.join(role.name for role in Role)}")
        role = Role(asked.role)
        expires = decode.time(asked.expire_time, "api_token.expire_time") if asked.HasField("expire_time") else None
        return change(
            self._engine, request, self._encode_new, jobs.create, asked.display_name, role, expires, by=caller()
        )

    def GetApiToken(self, request: access_pb2.GetApiTokenRequest, context: grpc.ServicerContext) -> access_pb2.ApiToken:
        """Returns one token."""
        public_id = names.token_id(request.name)
        with self._engine.store.reading() as connection:
            found = rows.by_public_id(connection, public_id)
        if found is None:
            raise not_found(request.name)
        return self._encode(found)

    def ListApiTokens(
        self, request: access_pb2.ListApiTokensRequest, context: grpc.ServicerContext
    ) -> access_pb2.ListApiTokensResponse:
        """Lists tokens."""
        size = paging.size(request.page_size)
        after = paging.number_after(_SCOPE, request.page_token, 0)
        with self._engine.store.reading() as connection:
            found = rows.page(connection, after, size + 1)
        page, next_token = paging.cut(_SCOPE, found, size, lambda token: token.id)
        return access_pb2.ListApiTokensResponse(
            api_tokens=[self._encode(token) for token in page], next_page_token=next_token
        )

    def DeleteApiToken(
        self, request: access_pb2.DeleteApiTokenRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Revokes a token."""
        return change(self._engine, request, encode.nothing, jobs.delete, names.token_id(request.name), by=caller())

    def GetCaller(self, request: access_pb2.GetCallerRequest, context: grpc.ServicerContext) -> access_pb2.Caller:
        """Says who calls."""
        who = caller()
        return access_pb2.Caller(actor=who.actor, role=int(who.role), api_token=who.token)  # type: ignore[arg-type]

    def _encode(self, found: ApiToken) -> access_pb2.ApiToken:
        return encode.api_token(found, self._engine.memory.keyring.last_use(found))

    def _encode_new(self, made: tuple[ApiToken, str]) -> access_pb2.ApiToken:
        return encode.api_token(made[0], None, made[1])
