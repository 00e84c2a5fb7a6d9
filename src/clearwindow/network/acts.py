"""What operators may have to propose about partners: configurations in use, windows, licences. Protocol §12."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

from pydantic.alias_generators import to_camel

from clearwindow.core.money import AmountUnit
from clearwindow.core.text import shown
from clearwindow.identity import enterprises
from clearwindow.identity.acts import Act, Asked, Scene, Stake, Told
from clearwindow.network import membership, store
from clearwindow.network.models import Partner, PartnerChanges, PartnerConfiguration, PartnerLicence
from clearwindow.network.operator_schemas import configuration_answer, licence_answer, operator_partner_answer
from clearwindow.partner_calls import calls
from clearwindow.partner_calls.models import Endpoint

_WINDOWS: Final = frozenset({"client_dispute_window_minutes", "top_up_window_minutes"})
_FIELDS: Final = (*sorted(_WINDOWS), "active", "stable_partner", "settlement_transaction_route_id")


@dataclass(frozen=True, slots=True)
class Configured:
    """A partner configuration and the endpoint that belongs to it."""

    configuration: PartnerConfiguration
    endpoint: Endpoint


class _Configuration(Act[Configured, Configured]):
    """The unit decides what every later settlement moves: with a partner, nobody changes it alone."""

    name = "partner_configuration.replace"
    operation = "configure"

    def stake(self, scene: Scene, asked: Asked[Configured]) -> Stake | None:
        tx, endpoint = scene.tx, asked.request.endpoint
        enterprise = enterprises.require_enterprise(tx, asked.subject_id)
        wanted = membership.in_our_names(tx, asked.request.configuration)
        calls.require_callable(endpoint, allow_private=scene.runtime.outgoing.allow_private)
        if membership.lock_if_partner(tx, asked.subject_id) is None:
            return None
        present = store.find_configuration(tx, asked.subject_id)
        now = None if present is None else Configured(present, calls.endpoint_of(tx, asked.subject_id))
        if now is None or now == Configured(wanted, endpoint):
            return None
        target = _flat(self.stored(now))
        changed = sorted(_differing(target, _flat(self.stored(Configured(wanted, endpoint)))))
        return Stake(
            summary=f"change of {enterprise.id} ({shown(enterprise.name)}): {shown(', '.join(changed))}",
            target=target,
            enterprise_id=enterprise.id,
        )

    def carry_out(self, scene: Scene, asked: Asked[Configured]) -> Configured:
        wanted = asked.request
        return Configured(membership.configure(scene, wanted.configuration, wanted.endpoint), wanted.endpoint)

    def told(self, done: Configured) -> Told:
        return Told({"partnerConfiguration": self.stored(done)})

    def stored(self, request: Configured) -> dict[str, object]:
        answer = configuration_answer(request.configuration, request.endpoint)
        stored: dict[str, object] = answer.partner_configuration.model_dump(by_alias=True, exclude_unset=True)
        return stored

    def restored(self, stored: Mapping[str, Any]) -> Configured:
        configuration = PartnerConfiguration(
            enterprise_id=stored["enterpriseId"],
            currencies=stored["currencies"],
            amount_unit=AmountUnit(stored["amountUnit"]),
            execute_when_funded=stored["executeWhenFunded"],
            auto_approve_client_closures=stored["autoApproveClientClosures"],
            public_key=stored.get("publicKey"),
            onchain_enabled=stored["onchainEnabled"],
            loss_sla_minutes=_decimal(stored.get("lossSlaMinutes")),
            gain_sla_minutes=_decimal(stored.get("gainSlaMinutes")),
        )
        endpoint = Endpoint(
            stored["enterpriseId"], stored.get("callbackUrl"), stored["callbackPaths"], stored["asyncAllocations"]
        )
        return Configured(configuration, endpoint)


class _Partner(Act[PartnerChanges, Partner]):
    """To start or stop a partner needs nobody else."""

    name = "partner.change"
    operation = "changePartner"

    def stake(self, scene: Scene, asked: Asked[PartnerChanges]) -> Stake | None:
        partner = membership.lock_partner(scene.tx, UUID(asked.subject_id))
        wanted = {name: value for name, value in asked.request.items() if getattr(partner, name) != value}
        if wanted.keys() <= {"active"}:
            return None
        changes = ", ".join(f"{to_camel(name)} {_text(value)}" for name, value in sorted(wanted.items()))
        return Stake(
            summary=f"change of the partner {partner.id} ({shown(partner.name)}): {shown(changes)}",
            target={to_camel(name): _text(getattr(partner, name)) for name in sorted(asked.request)},
            enterprise_id=partner.enterprise_id,
        )

    def carry_out(self, scene: Scene, asked: Asked[PartnerChanges]) -> Partner:
        return membership.change_partner(scene, UUID(asked.subject_id), asked.request)

    def told(self, done: Partner) -> Told:
        return Told(operator_partner_answer(done).model_dump(by_alias=True, exclude_unset=True))

    def stored(self, request: PartnerChanges) -> dict[str, object]:
        return {
            to_camel(name): _text(value) if isinstance(value, Decimal) else value
            for name, value in sorted(request.items())
        }

    def restored(self, stored: Mapping[str, object]) -> PartnerChanges:
        given = {name: stored[to_camel(name)] for name in _FIELDS if to_camel(name) in stored}
        changes = {name: _decimal(value) if name in _WINDOWS else value for name, value in given.items()}
        return cast("PartnerChanges", changes)


class _PartnerLicence(Act[PartnerLicence, PartnerLicence]):
    """It is taken away by one operator."""

    name = "partner_licence.give"
    operation = "changePartnerLicence"

    def stake(self, scene: Scene, asked: Asked[PartnerLicence]) -> Stake | None:
        before = membership.lock_licence(scene.tx, asked.request)
        if before.licensed or not asked.request.licensed:
            return None
        partner_id = str(asked.request.partner_id)
        return Stake(
            summary=f"give {asked.subject_id} the licence for the partner {partner_id}",
            target={"licensed": "false"},
            key=partner_id,
            enterprise_id=asked.subject_id,
        )

    def carry_out(self, scene: Scene, asked: Asked[PartnerLicence]) -> PartnerLicence:
        return membership.change_licence(scene, asked.request)

    def told(self, done: PartnerLicence) -> Told:
        return Told(licence_answer(done).model_dump(by_alias=True, exclude_unset=True))

    def stored(self, request: PartnerLicence) -> dict[str, object]:
        given = {"enterpriseId": request.enterprise_id, "partnerId": str(request.partner_id)}
        return {**given, "licensed": request.licensed}

    def restored(self, stored: Mapping[str, object]) -> PartnerLicence:
        partner_id = UUID(str(stored["partnerId"]))
        return PartnerLicence(str(stored["enterpriseId"]), partner_id, bool(stored["licensed"]))


def _flat(stored: Mapping[str, object]) -> dict[str, str | None]:
    """Returns the fields as texts, those of an object one by one, so that a change is named exactly."""
    flat: dict[str, str | None] = {}
    for name, value in stored.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": str(each) for inner, each in value.items()}
        else:
            flat[name] = value if isinstance(value, str) or value is None else json.dumps(value)
    return flat


def _differing(one: Mapping[str, object], other: Mapping[str, object]) -> set[str]:
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def _text(value: object) -> str | None:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value if isinstance(value, str) or value is None else json.dumps(value)


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


CONFIGURATION: Final = _Configuration()
PARTNER: Final = _Partner()
PARTNER_LICENCE: Final = _PartnerLicence()
ACTS: Final = (CONFIGURATION, PARTNER, PARTNER_LICENCE)
