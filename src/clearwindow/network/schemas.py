"""Partners, clients and their currencies on the network's wire: requests and answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from clearwindow.api.filters import CursorPage, Flag, ManyNeeded, Page, Texts, Uuids
from clearwindow.api.schema import Omittable, RequestModel, ShortText, WireModel, WireNumber
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import WireUuid
from clearwindow.core.money import AmountUnit
from clearwindow.core.text import present
from clearwindow.custody.models import Currency
from clearwindow.network.models import (
    Client,
    ConnectionKeySchema,
    CurrencyMap,
    NewPartner,
    Partner,
    PartnerConfiguration,
    PartnerFilter,
    PartnerLicence,
)

WindowMinutes = Annotated[WireNumber, Field(ge=0, le=525_600, decimal_places=6)]
"""At most a year. A JSON number carries six decimal places without loss."""

DOMAIN: Final = "bitgo-network"
"""The ``domain`` of supported currencies: the wire's owner gives this one only."""

SlaMinutes = Annotated[WireNumber, Field(gt=0, le=525_600, decimal_places=6)]


class NoBody(RequestModel):
    """A request without fields."""


class NewPartnerRequest(RequestModel):
    name: ShortText
    broker: bool
    institution_id: Omittable[WireUuid] = None
    institution_identifier: ShortText
    connection_key_schema: Literal["token", "tokenAndSignature", "apiKeyAndSecret", "clearloop"]
    client_dispute_window_minutes: WindowMinutes | None = None
    top_up_window_minutes: WindowMinutes | None = None
    allocation_policies_enabled: bool = False

    def to_model(self) -> NewPartner:
        return NewPartner(
            name=self.name,
            broker=self.broker,
            institution_id=str(self.institution_id) if self.institution_id else None,
            institution_identifier=self.institution_identifier,
            connection_key_schema=ConnectionKeySchema(self.connection_key_schema),
            client_dispute_window_minutes=self.client_dispute_window_minutes,
            top_up_window_minutes=self.top_up_window_minutes,
            allocation_policies_enabled=self.allocation_policies_enabled,
        )


class PartnerFilters(CursorPage):
    ids: Uuids = None
    names: Texts = None
    institution_ids: Uuids = None
    institution_identifiers: Texts = None
    active: Flag = None
    filter_by_trust_org: Flag = None
    allocation_policies_enabled: Flag = None

    def to_model(self, reader: str) -> PartnerFilter:
        return PartnerFilter(
            ids=self.ids,
            names=self.names,
            institution_ids=None if self.institution_ids is None else [str(one) for one in self.institution_ids],
            institution_identifiers=self.institution_identifiers,
            active=self.active,
            allocation_policies_enabled=self.allocation_policies_enabled,
            trust_org_of=reader if self.filter_by_trust_org else None,
        )


class SupportedCurrencyFilters(Page):
    partner_ids: Annotated[ManyNeeded[WireUuid], Field(min_length=1)]


class ClientOutput(WireModel):
    id: str
    enterprise_id: str
    trust_org: str
    wallet_id: str
    created_at: str
    updated_at: str


class ClientAnswer(WireModel):
    client: ClientOutput


class PartnerOutput(WireModel):
    """The enterprise's own partner."""

    id: str
    enterprise_id: str
    trust_org: str
    institution_id: str | None = None
    institution_identifier: str
    name: str
    connection_key_schema: str
    created_at: str
    updated_at: str
    client_id: str
    broker: bool
    active: bool
    settlement_transaction_route_id: str | None = None
    client_dispute_window_minutes: int | float | None = None
    top_up_window_minutes: int | float | None = None
    allocation_policies_enabled: bool
    public_key: str | None = None


class PartnerAnswer(WireModel):
    partner: PartnerOutput


class ListedPartner(WireModel):
    """A partner as every enterprise sees it. ``enterpriseId`` is given only for the reader's own (choice C112).

    ``isLicensedForPartner``: whether the reader may open connections and allocate to it (choice C123).
    """

    id: str
    name: str
    institution_id: str | None = None
    institution_identifier: str
    connection_key_schema: str
    active: bool
    settlement_transaction_route_id: str | None = None
    enterprise_id: str | None = None
    client_dispute_window_minutes: int | float | None = None
    top_up_window_minutes: int | float | None = None
    trust_org: str
    stable_partner: bool
    is_licensed_for_partner: bool
    public_key: str | None = None


class PartnerList(WireModel):
    partners: list[ListedPartner]


class SupportedCurrency(WireModel):
    ofc_currency: str
    backing_currency: str
    partner_names: list[str]


class SupportedCurrencies(WireModel):
    """Currencies by partner id. ``domain`` is always ``bitgo-network`` (choice C111)."""

    supported_currencies: dict[str, list[SupportedCurrency]]
    domain: str


class NetworkCurrency(WireModel):
    """A currency of the network. ``partnerNames`` are the enterprise's own names of it as a partner."""

    name: str
    backing: str
    decimals: int
    partner_names: list[str]


class NetworkCurrencies(WireModel):
    """``amountUnit`` is there if the enterprise is configured as a partner: the unit of its amounts."""

    currencies: list[NetworkCurrency]
    amount_unit: AmountUnit | None = None


def minutes(window: Decimal | None) -> int | float | None:
    if window is None:
        return None
    return int(window) if window == window.to_integral_value() else float(window)


def client_answer(client: Client) -> ClientAnswer:
    output = ClientOutput(
        id=str(client.id),
        enterprise_id=client.enterprise_id,
        trust_org=client.trust_org,
        wallet_id=client.go_account_id.hex,
        created_at=wire_time(client.created_at),
        updated_at=wire_time(client.updated_at),
    )
    return ClientAnswer(client=output)


def partner_answer(partner: Partner) -> PartnerAnswer:
    own = {
        "enterprise_id": partner.enterprise_id,
        "created_at": wire_time(partner.created_at),
        "updated_at": wire_time(partner.updated_at),
        "client_id": str(partner.client_id),
        "broker": partner.broker,
        "allocation_policies_enabled": partner.allocation_policies_enabled,
    }
    return PartnerAnswer(partner=PartnerOutput.model_validate(_shared(partner) | own))


def partner_list(partners: Iterable[Partner], licences: Mapping[UUID, PartnerLicence], reader: str) -> PartnerList:
    listed = []
    for partner in partners:
        own = {"enterprise_id": reader} if partner.enterprise_id == reader else {}
        licensed = licences[partner.id].licensed
        fields = _shared(partner) | {"stable_partner": partner.stable_partner, "is_licensed_for_partner": licensed}
        fields |= own
        listed.append(ListedPartner.model_validate(fields))
    return PartnerList(partners=listed)


def _shared(partner: Partner) -> dict[str, object]:
    return present(
        id=str(partner.id),
        name=partner.name,
        institution_id=partner.institution_id,
        institution_identifier=partner.institution_identifier,
        connection_key_schema=str(partner.connection_key_schema),
        active=partner.active,
        settlement_transaction_route_id=partner.settlement_transaction_route_id,
        client_dispute_window_minutes=minutes(partner.client_dispute_window_minutes),
        top_up_window_minutes=minutes(partner.top_up_window_minutes),
        trust_org=str(partner.trust_org),
        public_key=partner.public_key,
    )


def supported_currencies(maps: Mapping[UUID, CurrencyMap]) -> SupportedCurrencies:
    supported = {
        str(partner_id): [
            SupportedCurrency(
                ofc_currency=currency,
                backing_currency=mapped.backing,
                partner_names=list(currencies.partner_names(currency)),
            )
            for currency, mapped in sorted(currencies.currencies().items())
        ]
        for partner_id, currencies in maps.items()
    }
    return SupportedCurrencies(supported_currencies=supported, domain=DOMAIN)


def network_currencies(
    known: Mapping[str, Currency], configuration: PartnerConfiguration | None
) -> NetworkCurrencies:
    names: dict[str, list[str]] = {}
    for theirs, ours in sorted(configuration.currencies.items() if configuration else ()):
        names.setdefault(ours, []).append(theirs)
    listed = [
        NetworkCurrency(
            name=each.name,
            backing=each.backing,
            decimals=each.decimals,
            partner_names=names.get(each.name, []),
        )
        for each in known.values()
    ]
    unit = present(amount_unit=configuration.amount_unit if configuration else None)
    return NetworkCurrencies(currencies=listed, **unit)
