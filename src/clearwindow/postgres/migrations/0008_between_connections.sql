-- Transfers between two connections: a broker's settlement moves from one network account to another. Protocol §5.

-- NULL: the other side is the partner's Go Account. A positive quantity moves from the counterparty to the connection.
ALTER TABLE settlement_transfer
    ADD COLUMN counterparty_connection_id uuid,
    ADD COLUMN counterparty_account_id uuid,
    ADD CONSTRAINT settlement_transfer_counterparty_whole CHECK
        ((counterparty_connection_id IS NULL) = (counterparty_account_id IS NULL)),
    ADD CONSTRAINT settlement_transfer_between_two CHECK (counterparty_connection_id <> connection_id);

-- Empty for settlements with the partner, which therefore pay nothing for the second side below.
CREATE INDEX settlement_transfer_counterparty ON settlement_transfer (settlement_id, counterparty_connection_id)
    WHERE counterparty_connection_id IS NOT NULL;

CREATE TRIGGER settlement_transfer_counterparty_fkey AFTER INSERT ON settlement_transfer
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT
    EXECUTE FUNCTION check_references('settlement_transfer_counterparty_fkey',
        'settlement_id, counterparty_connection_id',
        'settlement_party', '(settlement_party.settlement_id, settlement_party.connection_id)'
        ' = (given.settlement_id, given.counterparty_connection_id)');
CREATE TRIGGER settlement_transfer_counterparty_fkey_update AFTER UPDATE ON settlement_transfer
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT
    EXECUTE FUNCTION check_references('settlement_transfer_counterparty_fkey',
        'settlement_id, counterparty_connection_id',
        'settlement_party', '(settlement_party.settlement_id, settlement_party.connection_id)'
        ' = (given.settlement_id, given.counterparty_connection_id)');

DROP TRIGGER settlement_transfer_assigned_once ON settlement_transfer;
CREATE TRIGGER settlement_transfer_assigned_once BEFORE UPDATE ON settlement_transfer
    FOR EACH ROW WHEN (OLD.settlement_id IS NOT NULL
        OR (OLD.id, OLD.dispute_closure_id, OLD.connection_id, OLD.counterparty_connection_id,
            OLD.counterparty_account_id, OLD.currency, OLD.quantity)
            IS DISTINCT FROM (NEW.id, NEW.dispute_closure_id, NEW.connection_id, NEW.counterparty_connection_id,
                              NEW.counterparty_account_id, NEW.currency, NEW.quantity))
    EXECUTE FUNCTION check_transfer_change();

-- What each connection gains by each transfer: one row for a transfer with the partner, two for one between connections.
CREATE VIEW settlement_leg AS
SELECT id AS transfer_id, settlement_id, dispute_closure_id, connection_id, network_account_id AS account_id,
       counterparty_connection_id, counterparty_account_id, currency, quantity
FROM settlement_transfer
UNION ALL
SELECT id, settlement_id, dispute_closure_id, counterparty_connection_id, counterparty_account_id,
       connection_id, network_account_id, currency, -quantity
FROM settlement_transfer
WHERE counterparty_connection_id IS NOT NULL;

-- Either side's dispute keeps a transfer from running.
CREATE OR REPLACE VIEW settlement_transfer_view AS
SELECT transfer.id, transfer.partner_id, transfer.settlement_id, transfer.dispute_closure_id,
       transfer.connection_id, transfer.network_account_id, transfer.currency, transfer.quantity,
       transfer.created_at,
       coalesce(settlement.updated_at, transfer.created_at) AS updated_at,
       CASE
           WHEN transfer.settlement_id IS NULL THEN 'pending_settlement_assignment'
           WHEN transfer.dispute_closure_id IS NULL AND (party.disputed OR coalesce(counterparty.disputed, false))
               THEN 'disputed'
           WHEN settlement.state IN ('dispute_window', 'top_up_window') THEN 'pending'
           ELSE settlement.state
       END AS status,
       transfer.counterparty_connection_id, transfer.counterparty_account_id
FROM settlement_transfer AS transfer
LEFT JOIN settlement ON settlement.id = transfer.settlement_id
LEFT JOIN settlement_party AS party
    ON (party.settlement_id, party.connection_id) = (transfer.settlement_id, transfer.connection_id)
LEFT JOIN settlement_party AS counterparty
    ON (counterparty.settlement_id, counterparty.connection_id)
     = (transfer.settlement_id, transfer.counterparty_connection_id);
