-- What is open is little beside what has ended: forecasts and what holds an account's funds are found without the rest.
CREATE INDEX settlement_open ON settlement (partner_id, top_up_deadline_at, created_at, id)
    WHERE state NOT IN ('completed', 'rejected') OR closures_wait;

-- Holds of settlements are many and are found by their settlements. So they are not in it.
CREATE INDEX hold_of_account ON hold (account_id) WHERE cause_kind <> 'settlement';
