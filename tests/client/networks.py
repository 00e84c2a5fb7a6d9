"""A network that is built through the SDK alone: its calls are under test here, in both shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from clearwindow.client import Client, HttpOptions, KeySigner, NewKey, Operator, Partner, TokenKey
from clearwindow.client.answers.network import Connection
from tests.client.shapes import Shapes
from tests.support.operators import make_key

OPTIONS: Final = HttpOptions(trust_env=False, first_wait_seconds=0.01, read_timeout_seconds=60)
CURRENCIES: Final = {"BTC": "ofcbtc", "USD": "ofcusd"}
BTC: Final = 10**8


@dataclass(frozen=True, kw_only=True)
class SdkNetwork:
    """An operator, an exchange and a trader with one connection, funded and allocated."""

    url: str
    shapes: Shapes
    operator: Operator
    partner: Partner
    client: Client
    partner_token: str
    client_token: str
    partner_id: str
    partner_account: str
    client_account: str
    connection: Connection

    def another_operator(self) -> Operator:
        """Returns an operator who may review the actions of the first one."""
        made = self.operator.operators.create(name="second")
        token = self.operator.operators.create_token(made.id, label="review")
        return self.shapes.operator(self.url, token.value, options=OPTIONS)


def enterprise(operator: Operator, name: str, number: int) -> tuple[str, str]:
    """Makes an enterprise, and returns a token and the id of its Go Account."""
    operator.enterprises.create(enterprise_id=name, name=name, licensed=True, trust_org="BitGo Trust")
    user = operator.enterprises.create_user(name, user_id=f"desk@{name}", name="The desk")
    token = operator.enterprises.create_token(
        name, user_id=user.id, scopes=["settlement_network_read", "settlement_network_write"], label="desk"
    )
    account = operator.go_accounts.create(name, keys=[NewKey(make_key(number).xpub)], label="main")
    return token.value, account.id


def build(shapes: Shapes, url: str, operator_token: str) -> SdkNetwork:
    operator = shapes.operator(url, operator_token, options=OPTIONS)
    partner_token, partner_account = enterprise(operator, "meridian", 1)
    client_token, client_account = enterprise(operator, "aster", 2)
    operator.configure_partner("meridian", currencies=CURRENCIES, amount_unit="decimal")
    signers = [KeySigner(make_key(number).xprv) for number in (1, 2)]
    partner = shapes.partner(url, partner_token, "meridian", signer=signers[0], options=OPTIONS)
    client = shapes.client(url, client_token, "aster", signer=signers[1], options=OPTIONS)
    made = partner.register(
        name="Meridian", broker=False, institution_identifier="meridian", connection_key_schema="token"
    )
    operator.update_partner(made.id, client_dispute_window_minutes=10, top_up_window_minutes=10)
    client.register()
    for account in (partner_account, client_account):
        operator.go_accounts.deposit(account, currency="ofcbtc", quantity=10 * BTC, reference=uuid4().hex)
    connection = client.connections.create(
        partner_id=made.id, name="Aster at Meridian", connection_key=TokenKey("the-secret-of-the-connection")
    )
    client.allocations.allocate(connection.id, currency="btc", quantity=2 * BTC, client_external_id="first")
    return SdkNetwork(
        url=url,
        shapes=shapes,
        operator=operator,
        partner=partner,
        client=client,
        partner_token=partner_token,
        client_token=client_token,
        partner_id=made.id,
        partner_account=partner_account,
        client_account=client_account,
        connection=connection,
    )
