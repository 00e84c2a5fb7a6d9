-- A partner takes back its own settlement inside the dispute window. Protocol §5.
--
-- Its new transfers run no more. Those of closures that it has taken still run: until they have, the settlement goes on
-- through its windows, without a state of its own. Without any it is rejected at once.
ALTER TABLE settlement
    ADD COLUMN withdrawn_at timestamptz,
    ADD COLUMN withdrawn_reason text,
    ADD COLUMN withdrawn_by text,
    ADD CONSTRAINT settlement_withdrawn_whole CHECK
        ((withdrawn_at IS NULL) = (withdrawn_reason IS NULL) AND (withdrawn_at IS NULL) = (withdrawn_by IS NULL)),
    ADD CONSTRAINT settlement_withdrawn_in_its_window CHECK
        (withdrawn_at IS NULL OR (withdrawn_at < dispute_deadline_at AND settlement_type = 'offchain' AND NOT immediate));

CREATE FUNCTION check_settlement_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a settlement is withdrawn once, while its dispute window is open, and its reason stays'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'settlement_withdrawn_once';
END $$;
CREATE TRIGGER settlement_withdrawal BEFORE UPDATE OF withdrawn_at, withdrawn_reason, withdrawn_by ON settlement
    FOR EACH ROW WHEN (OLD.withdrawn_at IS NOT NULL OR OLD.state <> 'dispute_window')
    EXECUTE FUNCTION check_settlement_withdrawal();

ALTER TABLE signed_request
    DROP CONSTRAINT signed_request_operation_known,
    ADD CONSTRAINT signed_request_operation_known CHECK (operation IN (
        'settlement.stage', 'settlement.immediate', 'settlement.onchain', 'settlement.deposits', 'settlement.withdraw',
        'allocation', 'deallocation', 'allocation.decide', 'deallocation.decide', 'connection.create',
        'dispute.raise', 'dispute.update', 'dispute.close', 'account.require_intent', 'connection.update',
        'loss_limits.change', 'approval_thresholds.change', 'daily_approval_thresholds.change',
        'custodian_limits.change', 'webhook_endpoint.create', 'webhook_endpoint.update', 'webhook_endpoint.delete',
        'webhook_endpoint.rotate_secret')) NOT VALID;

-- New transfers of a withdrawn settlement are rejected, whatever becomes of it.
CREATE OR REPLACE VIEW settlement_transfer_view AS
SELECT transfer.id, transfer.partner_id, transfer.settlement_id, transfer.dispute_closure_id,
       transfer.connection_id, transfer.network_account_id, transfer.currency, transfer.quantity,
       transfer.created_at,
       coalesce(greatest(settlement.updated_at, onchain.updated_at), transfer.created_at) AS updated_at,
       CASE
           WHEN transfer.settlement_id IS NULL THEN 'pending_settlement_assignment'
           WHEN closure.cancelled_at IS NOT NULL THEN 'rejected'
           WHEN transfer.dispute_closure_id IS NULL
                AND (settlement.state = 'rejected' OR settlement.withdrawn_at IS NOT NULL) THEN 'rejected'
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
