"""Settings of the HTTP server: where it listens, and what it takes of a connection, a body, a list and a minute."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings

from clearwindow.capacity_settings import ENV_PREFIX, LONGEST_SECONDS
from clearwindow.core.setting_values import Folder, Proxies, Secret, Text
from clearwindow.runtime import ConsoleTerms, Limits, ServerLimits

_DEFAULT: Final = Limits()
_SERVER: Final = ServerLimits()
_CONSOLE: Final = ConsoleTerms()
_LARGEST_PAYLOAD_BYTES: Final = 64 * 1024
"""The table of the evidence has the same limit."""


class ServerSettings(BaseSettings):
    """A part of ``Settings``."""

    host: Text = Field(default="127.0.0.1", description="The address that the server listens on.")
    port: int = Field(
        default=8080, ge=0, le=65535, description="The port that the server listens on. 0 takes a free port."
    )
    trusted_proxies: Proxies | None = Field(
        default=None,
        description="Addresses or networks of reverse proxies, separated by commas, or `*` for all. The server "
        "trusts their `X-Forwarded-For` header and takes the caller's address from it, for rate limits and tokens' "
        "allow-lists. Without it, the header is ignored. Proxies may open any number of connections, within "
        f"`{ENV_PREFIX}OPEN_CONNECTIONS_LIMIT`.",
    )
    tls_certificate: Folder | None = Field(
        default=None,
        description="The server's certificate, in PEM, followed by the certificates that lead to its authority. "
        "With it and its key, the server speaks TLS 1.2 or newer. On SIGHUP, `serve` reads the files of TLS again.",
    )
    tls_key: Folder | None = Field(
        default=None, description="The private key of the certificate, in PEM, without a password."
    )
    tls_client_ca: Folder | None = Field(
        default=None,
        description="Certificates of authorities, in PEM. With it, callers need a certificate of one of them, "
        "beside their token.",
    )
    tls_handshake_seconds_limit: float = Field(
        default=_SERVER.tls_handshake_seconds,
        gt=0,
        le=LONGEST_SECONDS,
        description="How long the beginning of a TLS connection may take, in seconds. After that, it is closed.",
    )
    open_connections_limit: int = Field(
        default=_SERVER.connections,
        ge=1,
        le=100_000,
        description="How many connections a process has open at the same time. A further one gets the place of "
        "the one that has waited longest without a request under way; if there is none, it is answered with 503 "
        "and closed. A process raises its limit of open files to this number and 1000 more, if it may.",
    )
    connections_per_address_limit: int = Field(
        default=_SERVER.connections_per_address,
        ge=1,
        le=100_000,
        description="How many connections one address has open at the same time; for IPv6, one /64 network. "
        "A further one gets the place of its longest waiting one; if all have requests under way, it is answered "
        "with 429 and closed. Addresses of "
        f"`{ENV_PREFIX}TRUSTED_PROXIES` are exempt: set the limit in the proxy.",
    )
    requests_at_once_limit: int = Field(
        default=_SERVER.requests_at_once,
        ge=1,
        le=100_000,
        description="How many requests to `/api/` a process works on at the same time, those that wait included. "
        "Further ones are answered with 503 at once.",
    )
    request_line_bytes_limit: int = Field(
        default=_SERVER.request_line_bytes,
        ge=256,
        le=2**20,
        description="The longest first line of a request, with its path and query, in bytes. A longer one is 431.",
    )
    request_head_bytes_limit: int = Field(
        default=_SERVER.head_bytes,
        ge=1024,
        le=2**20,
        description="The longest head of a request, its first line and all headers, in bytes. A longer one is 431.",
    )
    request_headers_limit: int = Field(
        default=_SERVER.headers, ge=10, le=10_000, description="The most headers of a request. With more it is 431."
    )
    request_head_seconds_limit: float = Field(
        default=_SERVER.head_seconds,
        gt=0,
        le=LONGEST_SECONDS,
        description="How long the head of a request may take to arrive, in seconds. After that, the answer is 408. "
        "A new connection without a request is closed after this time.",
    )
    idle_connection_seconds_limit: float = Field(
        default=_SERVER.idle_seconds,
        gt=0,
        le=LONGEST_SECONDS,
        description="How long a connection stays open between two requests, in seconds. A proxy should close its "
        "connections earlier.",
    )
    answer_seconds_limit: float = Field(
        default=_SERVER.answer_seconds,
        gt=0,
        le=LONGEST_SECONDS,
        description="How long a caller may take to read what waits for it, in seconds. After that, the connection "
        "is closed.",
    )
    unread_body_bytes_limit: int = Field(
        default=_SERVER.unread_body_bytes,
        ge=0,
        le=2**30,
        description="How much of a body is still taken, and thrown away, after the request was answered, in bytes. "
        "After that, the connection is closed.",
    )
    chunks_per_body_limit: int = Field(
        default=_SERVER.chunks_per_body,
        ge=1,
        le=10_000_000,
        description="The most chunks of a body with `Transfer-Encoding: chunked`. With more it is 413.",
    )
    body_bytes_limit: int = Field(
        default=_DEFAULT.body_bytes,
        ge=1024,
        le=2**30,
        description="The largest request body, in bytes, except for settlements. A larger one is answered 413, "
        "and not read. JSON filters of a GET count as a body.",
    )
    payload_bytes_limit: int = Field(
        default=_DEFAULT.payload_bytes,
        ge=1024,
        le=_LARGEST_PAYLOAD_BYTES,
        description="The largest `payload` in a request body, in bytes, except for settlements. "
        "Each accepted one is kept for ever.",
    )
    settlement_body_bytes_limit: int = Field(
        default=_DEFAULT.settlement_body_bytes,
        ge=1024,
        le=2**30,
        description="The largest request body of a settlement, in bytes: versions 1 and 2, on chain with its "
        "deposits, their texts to sign, and the custodian's signature of such a text.",
    )
    body_seconds_limit: float = Field(
        default=_DEFAULT.body_seconds,
        gt=0,
        le=LONGEST_SECONDS,
        description="How long a request body may take to arrive, in seconds. After that, the answer is 408.",
    )
    connections_per_settlement_limit: int = Field(
        default=_DEFAULT.connections_per_settlement,
        ge=1,
        le=1_000_000,
        description="The most connections in one settlement.",
    )
    amounts_per_settlement_limit: int = Field(
        default=_DEFAULT.amounts_per_settlement,
        ge=1,
        le=10_000_000,
        description="The most amounts in one settlement.",
    )
    page_size_limit: int = Field(
        default=_DEFAULT.page_size,
        ge=1,
        le=10_000,
        description="The most entries on one page of a list. A larger pageSize is reduced to it.",
    )
    rate_limit_per_minute: int = Field(
        default=360,
        ge=0,
        le=1_000_000_000,
        description="How many requests one token of an enterprise may make in a minute, and how many requests "
        "without a known token may come from one address. After that, the answer is 429. 0 means no limit. "
        f"Operators' tokens are not limited. Without `{ENV_PREFIX}RATE_LIMIT_STORE`, each process counts its own "
        "requests.",
    )
    rate_limit_store: Secret | None = Field(
        default=None,
        description="Where several processes count the requests of a minute together: Redis or Valkey "
        "(`redis://host:6379/0`, `rediss://…`, `redis+unix:///path`) or Memcached (`memcached://host:11211`). It "
        "needs the extra `shared-limits`. While the store does not answer, each process counts its own requests, "
        "and logs `rate_limit_store_away` once a minute.",
    )

    console_idle_minutes: int = Field(
        default=_CONSOLE.idle // timedelta(minutes=1),
        ge=1,
        le=1440,
        description="After how many minutes without a page or an act of its user a session of the console ends. "
        "Pages that only keep themselves up to date do not count.",
    )
    console_session_hours: float = Field(
        default=_CONSOLE.longest / timedelta(hours=1),
        gt=0,
        le=168,
        description="After how many hours a session of the console ends, whatever its user does.",
    )

    def console(self) -> ConsoleTerms:
        return ConsoleTerms(
            idle=timedelta(minutes=self.console_idle_minutes), longest=timedelta(hours=self.console_session_hours)
        )

    def limits(self) -> Limits:
        return Limits(
            body_bytes=self.body_bytes_limit,
            payload_bytes=self.payload_bytes_limit,
            settlement_body_bytes=self.settlement_body_bytes_limit,
            connections_per_settlement=self.connections_per_settlement_limit,
            amounts_per_settlement=self.amounts_per_settlement_limit,
            page_size=self.page_size_limit,
            body_seconds=self.body_seconds_limit,
        )

    def server_limits(self) -> ServerLimits:
        return ServerLimits(
            request_line_bytes=self.request_line_bytes_limit,
            head_bytes=self.request_head_bytes_limit,
            headers=self.request_headers_limit,
            head_seconds=self.request_head_seconds_limit,
            idle_seconds=self.idle_connection_seconds_limit,
            answer_seconds=self.answer_seconds_limit,
            unread_body_bytes=self.unread_body_bytes_limit,
            chunks_per_body=self.chunks_per_body_limit,
            connections=self.open_connections_limit,
            connections_per_address=self.connections_per_address_limit,
            requests_at_once=self.requests_at_once_limit,
            tls_handshake_seconds=self.tls_handshake_seconds_limit,
        )
