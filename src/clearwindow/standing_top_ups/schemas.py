"""Standing top-ups on the wire. Quantities are base units of our currencies, as texts."""

from __future__ import annotations

from collections.abc import Sequence

from clearwindow.api.filters import CreatedPage, Flag
from clearwindow.api.schema import ShortText, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.money import PositiveBaseUnits
from clearwindow.core.text import present
from clearwindow.signing.schemas import Signed
from clearwindow.standing_top_ups.models import NewStandingTopUp, StandingTopUp, StandingTopUpFilter


class StandingTopUpRequest(Signed):
    """``perSettlement``: the most that comes for one settlement. It must be said, so that nothing is unlimited."""

    currency: ShortText
    per_settlement: PositiveBaseUnits

    def to_model(self, go_account_id: str) -> NewStandingTopUp:
        return NewStandingTopUp(go_account_id, self.currency, int(self.per_settlement))


class StandingTopUpFilters(CreatedPage):
    """``active``: only those that are not revoked, or only those that are."""

    active: Flag = None

    def to_model(self) -> StandingTopUpFilter:
        return StandingTopUpFilter(self.active, self.created_on_or_after, self.created_before)


class StandingTopUpOutput(WireModel):
    """A partner's instruction. ``goAccountId``: where the money comes from."""

    id: str
    go_account_id: str
    currency: str
    per_settlement: str
    created_by: str
    created_at: str
    revoked_by: str | None = None
    revoked_at: str | None = None


class StandingTopUpAnswer(WireModel):
    standing_top_up: StandingTopUpOutput


class StandingTopUpsAnswer(WireModel):
    """The newest first."""

    standing_top_ups: list[StandingTopUpOutput]


def standing_top_up_answer(standing: StandingTopUp) -> StandingTopUpAnswer:
    return StandingTopUpAnswer(standing_top_up=_output(standing))


def standing_top_ups_answer(found: Sequence[StandingTopUp]) -> StandingTopUpsAnswer:
    return StandingTopUpsAnswer(standing_top_ups=[_output(standing) for standing in found])


def _output(standing: StandingTopUp) -> StandingTopUpOutput:
    return StandingTopUpOutput.model_validate(
        present(
            id=str(standing.id),
            go_account_id=standing.go_account_id.hex,
            currency=standing.currency,
            per_settlement=str(standing.per_settlement),
            created_by=standing.created_by,
            created_at=wire_time(standing.created_at),
            revoked_by=standing.revoked_by,
            revoked_at=wire_time(standing.revoked_at) if standing.revoked_at else None,
        )
    )
