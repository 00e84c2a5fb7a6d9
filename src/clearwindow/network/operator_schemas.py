"""Partner configurations, partners and clients on the operator's wire: requests and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from clearwindow.api.schema import RequestModel, ShortText, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.money import AmountUnit
from clearwindow.core.text import present
from clearwindow.network.models import (
    ClientChanges,
    Partner,
    PartnerChanges,
    PartnerConfiguration,
    PartnerLicence,
)
from clearwindow.network.schemas import PartnerOutput, SlaMinutes, WindowMinutes, minutes, partner_answer
from clearwindow.partner_calls.models import Endpoint
from clearwindow.signing.connection_keys import parse_rsa_public_key, public_pem

MAX_CURRENCIES = 1_000
MAX_PATHS = 20
_MAX_KEY_LENGTH = 10_000

_Address = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


def _canonical_pem(text: str) -> str:
    return public_pem(parse_rsa_public_key(text))


RsaPublicKey = Annotated[str, StringConstraints(max_length=_MAX_KEY_LENGTH), AfterValidator(_canonical_pem)]
"""An RSA public key: PEM, or base64 of its DER."""


class ConfigurationRequest(RequestModel):
    currencies: Annotated[dict[ShortText, ShortText], Field(min_length=1, max_length=MAX_CURRENCIES)]
    amount_unit: Literal["base", "decimal"]
    execute_when_funded: bool = False
    auto_approve_client_closures: bool = False
    public_key: RsaPublicKey | None = None
    onchain_enabled: bool = False
    loss_sla_minutes: SlaMinutes | None = None
    gain_sla_minutes: SlaMinutes | None = None
    callback_url: _Address | None = None
    callback_paths: Annotated[dict[ShortText, ShortText], Field(max_length=MAX_PATHS)] = Field(default_factory=dict)
    async_allocations: bool = False

    def endpoint(self, enterprise_id: str) -> Endpoint:
        return Endpoint(enterprise_id, self.callback_url, self.callback_paths, self.async_allocations)

    def to_model(self, enterprise_id: str) -> PartnerConfiguration:
        return PartnerConfiguration(
            enterprise_id=enterprise_id,
            currencies=self.currencies,
            amount_unit=AmountUnit(self.amount_unit),
            execute_when_funded=self.execute_when_funded,
            auto_approve_client_closures=self.auto_approve_client_closures,
            public_key=self.public_key,
            onchain_enabled=self.onchain_enabled,
            loss_sla_minutes=self.loss_sla_minutes,
            gain_sla_minutes=self.gain_sla_minutes,
        )


class PartnerChange(RequestModel):
    """Fields that are left out stay. A window or route of null is removed.

    ``settlementTransactionRouteId`` turns automation on: on-chain settlements then carry an ``rtId``.
    """

    active: bool = True
    client_dispute_window_minutes: WindowMinutes | None = None
    top_up_window_minutes: WindowMinutes | None = None
    stable_partner: bool = False
    settlement_transaction_route_id: ShortText | None = None

    def changes(self) -> PartnerChanges:
        named: PartnerChanges = {}
        if "active" in self.model_fields_set:
            named["active"] = self.active
        if "stable_partner" in self.model_fields_set:
            named["stable_partner"] = self.stable_partner
        if "client_dispute_window_minutes" in self.model_fields_set:
            named["client_dispute_window_minutes"] = self.client_dispute_window_minutes
        if "top_up_window_minutes" in self.model_fields_set:
            named["top_up_window_minutes"] = self.top_up_window_minutes
        if "settlement_transaction_route_id" in self.model_fields_set:
            named["settlement_transaction_route_id"] = self.settlement_transaction_route_id
        return named


class ClientChange(RequestModel):
    active: bool = True

    def changes(self) -> ClientChanges:
        return {"active": self.active} if "active" in self.model_fields_set else {}


class ConfigurationOutput(WireModel):
    enterprise_id: str
    currencies: dict[str, str]
    amount_unit: str
    execute_when_funded: bool
    auto_approve_client_closures: bool
    onchain_enabled: bool
    loss_sla_minutes: int | float | None = None
    gain_sla_minutes: int | float | None = None
    public_key: str | None = None
    callback_url: str | None = None
    callback_paths: dict[str, str]
    async_allocations: bool


class ConfigurationAnswer(WireModel):
    partner_configuration: ConfigurationOutput


class OperatorPartner(PartnerOutput):
    """A partner as the operator sees it: all that the partner sees, and ``stablePartner``."""

    stable_partner: bool


class PartnerLicenceChange(RequestModel):
    licensed: bool


class PartnerLicenceOutput(WireModel):
    """Whether an enterprise may use a partner. ``updatedAt`` is missing while nobody has changed it."""

    enterprise_id: str
    partner_id: str
    licensed: bool
    updated_at: str | None = None


class PartnerLicenceAnswer(WireModel):
    partner_licence: PartnerLicenceOutput


class OperatorPartnerAnswer(WireModel):
    partner: OperatorPartner


def configuration_answer(configuration: PartnerConfiguration, endpoint: Endpoint) -> ConfigurationAnswer:
    fields = present(
        enterprise_id=configuration.enterprise_id,
        currencies=dict(configuration.currencies),
        amount_unit=str(configuration.amount_unit),
        execute_when_funded=configuration.execute_when_funded,
        auto_approve_client_closures=configuration.auto_approve_client_closures,
        public_key=configuration.public_key,
        onchain_enabled=configuration.onchain_enabled,
        loss_sla_minutes=minutes(configuration.loss_sla_minutes),
        gain_sla_minutes=minutes(configuration.gain_sla_minutes),
        callback_url=endpoint.callback_url,
        callback_paths=dict(endpoint.callback_paths),
        async_allocations=endpoint.async_allocations,
    )
    return ConfigurationAnswer(partner_configuration=ConfigurationOutput.model_validate(fields))


def licence_answer(licence: PartnerLicence) -> PartnerLicenceAnswer:
    fields = present(
        enterprise_id=licence.enterprise_id,
        partner_id=str(licence.partner_id),
        licensed=licence.licensed,
        updated_at=wire_time(licence.updated_at) if licence.updated_at else None,
    )
    return PartnerLicenceAnswer(partner_licence=PartnerLicenceOutput.model_validate(fields))


def operator_partner_answer(partner: Partner) -> OperatorPartnerAnswer:
    """Returns the partner with null for a removed window, so that the operator sees the effect of the patch."""
    seen = partner_answer(partner).partner.model_dump(by_alias=False, exclude_unset=True)
    windows = {
        "client_dispute_window_minutes": minutes(partner.client_dispute_window_minutes),
        "top_up_window_minutes": minutes(partner.top_up_window_minutes),
    }
    fields = seen | windows | {"stable_partner": partner.stable_partner}
    return OperatorPartnerAnswer(partner=OperatorPartner.model_validate(fields))
