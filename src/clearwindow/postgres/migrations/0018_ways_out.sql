-- Ways out for operators: rejecting a settlement that is disputed or carries closures, and cancelling a taken closure.
-- Protocol §5 and §6.

-- `closures_wait`: the settlement is rejected, and the transfers of the closures that it took still run.
ALTER TABLE settlement
    ADD COLUMN closures_wait boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT settlement_ended_is_not_due,
    ADD CONSTRAINT settlement_ended_is_not_due CHECK
        (state NOT IN ('completed', 'rejected') OR ((due_at IS NULL OR closures_wait) AND finalized_at IS NOT NULL)),
    ADD CONSTRAINT settlement_closures_wait_after_rejection CHECK (NOT closures_wait OR state = 'rejected');
CREATE INDEX settlement_closures_wait ON settlement (partner_id) WHERE closures_wait;

-- The transfers of a cancelled closure end as rejected in the settlement that took them.
ALTER TABLE dispute_closure
    ADD COLUMN cancelled_at timestamptz,
    ADD CONSTRAINT dispute_closure_cancelled_after_approval CHECK (cancelled_at IS NULL OR status = 'approved');

CREATE FUNCTION check_closure_cancelled_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a cancelled dispute closure stays cancelled'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'dispute_closure_cancelled_once';
END $$;
CREATE TRIGGER dispute_closure_cancelled_once BEFORE UPDATE OF cancelled_at ON dispute_closure
    FOR EACH ROW WHEN (OLD.cancelled_at IS NOT NULL AND OLD.cancelled_at IS DISTINCT FROM NEW.cancelled_at)
    EXECUTE FUNCTION check_closure_cancelled_once();

-- What one operator has asked for and a second one must confirm. A row lives until it is carried out.
CREATE TABLE operator_proposal (
    id           uuid        NOT NULL,
    act          text        NOT NULL,
    subject_id   uuid        NOT NULL,
    operator_id  uuid        NOT NULL,
    reason       text,
    created_at   timestamptz NOT NULL,
    CONSTRAINT operator_proposal_pkey PRIMARY KEY (id),
    CONSTRAINT operator_proposal_one_of_subject UNIQUE (act, subject_id),
    CONSTRAINT operator_proposal_operator_fkey FOREIGN KEY (operator_id) REFERENCES operator (id),
    CONSTRAINT operator_proposal_act_known CHECK (act IN ('settlement.reject', 'dispute_closure.cancel'))
);

ALTER TABLE ledger_entry
    DROP CONSTRAINT ledger_entry_kind_known,
    ADD CONSTRAINT ledger_entry_kind_known CHECK (kind IN (
        'deposit', 'withdrawal',
        'allocation_reserved', 'allocation_cleared', 'allocation_released',
        'deallocation_reserved', 'deallocation_cleared', 'deallocation_released',
        'settlement_held', 'settlement_executed', 'settlement_rejected',
        'dispute_closure_held', 'dispute_closure_cancelled',
        'onchain_loss_paid', 'onchain_gain_paid', 'onchain_deposit_credited', 'onchain_deposit_released'));

-- New transfers of a rejected settlement are rejected, also disputed ones. Those of its closures run all the same.
CREATE OR REPLACE VIEW settlement_transfer_view AS
SELECT transfer.id, transfer.partner_id, transfer.settlement_id, transfer.dispute_closure_id,
       transfer.connection_id, transfer.network_account_id, transfer.currency, transfer.quantity,
       transfer.created_at,
       coalesce(greatest(settlement.updated_at, onchain.updated_at), transfer.created_at) AS updated_at,
       CASE
           WHEN transfer.settlement_id IS NULL THEN 'pending_settlement_assignment'
           WHEN closure.cancelled_at IS NOT NULL THEN 'rejected'
           WHEN settlement.state = 'rejected' AND transfer.dispute_closure_id IS NULL THEN 'rejected'
           WHEN settlement.state = 'rejected' AND settlement.closures_wait THEN 'pending'
           WHEN settlement.state = 'rejected' THEN 'completed'
           WHEN transfer.dispute_closure_id IS NULL AND (party.disputed OR coalesce(counterparty.disputed, false))
               THEN 'disputed'
           WHEN onchain.transfer_id IS NOT NULL THEN onchain.status
           WHEN settlement.state IN ('dispute_window', 'top_up_window') THEN 'pending'
           ELSE settlement.state
       END AS status,
       transfer.counterparty_connection_id, transfer.counterparty_account_id,
       CASE WHEN onchain.tx_id IS NULL THEN '{}'::text[] ELSE ARRAY[onchain.tx_id] END AS tx_ids
FROM settlement_transfer AS transfer
LEFT JOIN settlement ON settlement.id = transfer.settlement_id
LEFT JOIN settlement_party AS party
    ON (party.settlement_id, party.connection_id) = (transfer.settlement_id, transfer.connection_id)
LEFT JOIN settlement_party AS counterparty
    ON (counterparty.settlement_id, counterparty.connection_id)
     = (transfer.settlement_id, transfer.counterparty_connection_id)
LEFT JOIN onchain_transfer AS onchain ON onchain.transfer_id = transfer.id
LEFT JOIN dispute_closure AS closure ON closure.id = transfer.dispute_closure_id;
