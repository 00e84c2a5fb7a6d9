-- Whose a row is, and what it is about, never changes; a settlement's transfers are all there when it is staged.
-- Protocol §10. `refuse_removal` fires only if a statement names one of the columns.

CREATE TRIGGER account_owner_kept BEFORE UPDATE OF id, kind, partner_id ON account
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER go_account_owner_kept BEFORE UPDATE OF account_id, enterprise_id ON go_account
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER go_account_key_owner_kept BEFORE UPDATE OF id, account_id, public_key ON go_account_key
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER client_owner_kept BEFORE UPDATE OF id, enterprise_id, go_account_id ON client
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER partner_owner_kept BEFORE UPDATE OF id, enterprise_id, go_account_id, client_id ON partner
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER connection_owner_kept BEFORE UPDATE OF partner_id, client_id, network_account_id ON connection
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER access_token_owner_kept BEFORE UPDATE OF id, enterprise_id, user_id, operator_id ON access_token
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER allocation_owner_kept BEFORE DELETE OR TRUNCATE
    OR UPDATE OF id, partner_id, client_id, connection_id, type, currency, quantity ON allocation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER settlement_owner_kept BEFORE UPDATE
    OF partner_id, external_id, settlement_type, immediate, request_sha256, cutoff_at, created_at, dispute_deadline_at,
       top_up_deadline_at ON settlement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER settlement_party_owner_kept BEFORE UPDATE OF partner_id, dispute_deadline_at ON settlement_party
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER dispute_owner_kept BEFORE DELETE OR TRUNCATE
    OR UPDATE OF id, partner_id, settlement_id, connection_id, created_at ON dispute
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER dispute_closure_owner_kept BEFORE UPDATE
    OF partner_id, dispute_id, closed_by, adjusted_transfers, request_sha256 ON dispute_closure
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER hold_owner_kept BEFORE UPDATE OF partner_id, cause_kind ON hold
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER onchain_transfer_owner_kept BEFORE DELETE OR TRUNCATE
    OR UPDATE OF transfer_id, settlement_id, partner_id, network_account_id, side, currency, quantity ON onchain_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE TRIGGER onchain_deposit_owner_kept BEFORE DELETE OR TRUNCATE
    OR UPDATE OF id, partner_id, settlement_id, currency, on_chain_tx_id ON onchain_deposit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

CREATE TRIGGER settlement_transfer_kept BEFORE DELETE OR TRUNCATE
    OR UPDATE OF id, partner_id, network_account_id, created_at ON settlement_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

-- A settlement's transfers come before its first journal entry, in the same transaction. An immediate one has no entry
-- until it executes: all its transfers come in one statement.
CREATE FUNCTION check_transfers_complete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT settlement_id FROM new_row WHERE settlement_id IS NOT NULL) AS given
        JOIN settlement ON settlement.id = given.settlement_id
        WHERE EXISTS (SELECT FROM ledger_entry WHERE ledger_entry.cause_id = given.settlement_id)
           OR (settlement.immediate
               AND EXISTS (SELECT FROM settlement_transfer AS other
                           WHERE other.settlement_id = given.settlement_id
                             AND NOT EXISTS (SELECT FROM new_row WHERE new_row.id = other.id)))
    ) THEN
        RAISE EXCEPTION 'a staged settlement gets no more transfers'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'settlement_transfer_complete';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER settlement_transfer_complete AFTER INSERT ON settlement_transfer
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT EXECUTE FUNCTION check_transfers_complete();
CREATE TRIGGER settlement_transfer_complete_update AFTER UPDATE ON settlement_transfer
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT EXECUTE FUNCTION check_transfers_complete();
