"""The Python SDK of Clearwindow: for partners, clients and operators, synchronous and asynchronous.

Import everything that you call from here. The types of answers are in `clearwindow.client.answers`.
`Partner`, `Client` and `Operator` have the same methods as `AsyncPartner`, `AsyncClient` and `AsyncOperator`.
See docs/how-to/use-the-python-sdk.md.
"""

from clearwindow.client.aio.members import AsyncClient, AsyncPartner
from clearwindow.client.aio.operator import AsyncOperator
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.base import Meta, Value
from clearwindow.client.calls import Page
from clearwindow.client.errors import (
    ApiError,
    ClearwindowError,
    ConflictError,
    InvalidRequestError,
    NoAnswerError,
    NotAuthenticatedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    SigningError,
    TooLargeError,
    UnexpectedAnswerError,
    UnprocessableError,
    UnusableEnvironmentError,
)
from clearwindow.client.options import HttpOptions
from clearwindow.client.requests import (
    ApiKeyAndSecretKey,
    ClearLoopKey,
    ConfigurationFields,
    ConnectionKey,
    Deposit,
    NewKey,
    NewPartner,
    PartnerChanges,
    PartnersWord,
    TokenAndSignatureKey,
    TokenKey,
    Trade,
    TradeCorrection,
    TradeSide,
    WantedChat,
    WantedLossLimits,
    WantedNotifications,
    WantedQuietHours,
    WebhookEndpointChanges,
    encrypted_key,
)
from clearwindow.client.signing import AsyncSigner, IntentOptions, KeySigner, Signer, new_xprv
from clearwindow.client.sync.members import Client, Partner
from clearwindow.client.sync.operator import Operator
from clearwindow.client.sync.pages import Pages
from clearwindow.client.webhooks import WebhookEvent, WebhookVerificationError, verify_webhook

__all__ = [
    "ApiError",
    "ApiKeyAndSecretKey",
    "AsyncClient",
    "AsyncOperator",
    "AsyncPages",
    "AsyncPartner",
    "AsyncSigner",
    "ClearLoopKey",
    "ClearwindowError",
    "Client",
    "ConfigurationFields",
    "ConflictError",
    "ConnectionKey",
    "Deposit",
    "HttpOptions",
    "IntentOptions",
    "InvalidRequestError",
    "KeySigner",
    "Meta",
    "NewKey",
    "NewPartner",
    "NoAnswerError",
    "NotAuthenticatedError",
    "NotFoundError",
    "Operator",
    "Page",
    "Pages",
    "Partner",
    "PartnerChanges",
    "PartnersWord",
    "PermissionDeniedError",
    "RateLimitedError",
    "ServerError",
    "Signer",
    "SigningError",
    "TokenAndSignatureKey",
    "TokenKey",
    "TooLargeError",
    "Trade",
    "TradeCorrection",
    "TradeSide",
    "UnexpectedAnswerError",
    "UnprocessableError",
    "UnusableEnvironmentError",
    "Value",
    "WantedChat",
    "WantedLossLimits",
    "WantedNotifications",
    "WantedQuietHours",
    "WebhookEndpointChanges",
    "WebhookEvent",
    "WebhookVerificationError",
    "encrypted_key",
    "new_xprv",
    "verify_webhook",
]
