-- A partner's standing instruction: what its account lacks for a settlement comes from another of its Go Accounts.
-- Protocol §5. Written under the partner's lock, as are executions.
CREATE TABLE standing_top_up (
    id              uuid        NOT NULL,
    partner_id      uuid        NOT NULL,
    go_account_id   uuid        NOT NULL,
    currency        text        NOT NULL,
    per_settlement  base_units  NOT NULL,
    created_by      text        NOT NULL,
    created_at      timestamptz NOT NULL,
    revoked_by      text,
    revoked_at      timestamptz,
    CONSTRAINT standing_top_up_pkey PRIMARY KEY (id),
    CONSTRAINT standing_top_up_partner_fkey FOREIGN KEY (partner_id) REFERENCES partner (id),
    CONSTRAINT standing_top_up_go_account_fkey FOREIGN KEY (go_account_id) REFERENCES go_account (account_id),
    CONSTRAINT standing_top_up_currency_fkey FOREIGN KEY (currency) REFERENCES currency (name),
    CONSTRAINT standing_top_up_positive CHECK (per_settlement > 0),
    CONSTRAINT standing_top_up_revocation_whole CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
);
CREATE UNIQUE INDEX standing_top_up_one_of_currency ON standing_top_up (partner_id, currency) WHERE revoked_at IS NULL;
CREATE INDEX standing_top_up_source ON standing_top_up (go_account_id) WHERE revoked_at IS NULL;
CREATE INDEX standing_top_up_partner ON standing_top_up (partner_id, created_at, id);
CREATE TRIGGER standing_top_up_kept
    BEFORE DELETE OR TRUNCATE
        OR UPDATE OF id, partner_id, go_account_id, currency, per_settlement, created_by, created_at ON standing_top_up
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

CREATE FUNCTION check_standing_top_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM partner JOIN go_account ON go_account.enterprise_id = partner.enterprise_id
        WHERE partner.id = NEW.partner_id AND go_account.account_id = NEW.go_account_id
          AND go_account.account_id <> partner.go_account_id
    ) THEN
        RAISE EXCEPTION 'a standing top-up comes from another Go Account of the partner''s enterprise'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'standing_top_up_from_own_account';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER standing_top_up_source_own BEFORE INSERT ON standing_top_up
    FOR EACH ROW EXECUTE FUNCTION check_standing_top_up();

CREATE FUNCTION check_standing_top_up_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a standing top-up is revoked once'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'standing_top_up_ends_once';
END $$;
CREATE TRIGGER standing_top_up_end BEFORE UPDATE ON standing_top_up
    FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL) EXECUTE FUNCTION check_standing_top_up_end();

-- What came by it for a settlement that executed. The settlement's entry of the kind `top_up` moved it.
CREATE TABLE top_up (
    settlement_id       uuid        NOT NULL,
    standing_top_up_id  uuid        NOT NULL,
    quantity            base_units  NOT NULL,
    created_at          timestamptz NOT NULL,
    CONSTRAINT top_up_pkey PRIMARY KEY (settlement_id, standing_top_up_id),
    CONSTRAINT top_up_settlement_fkey FOREIGN KEY (settlement_id) REFERENCES settlement (id),
    CONSTRAINT top_up_standing_top_up_fkey FOREIGN KEY (standing_top_up_id) REFERENCES standing_top_up (id),
    CONSTRAINT top_up_positive CHECK (quantity > 0)
);
CREATE INDEX top_up_standing ON top_up (standing_top_up_id);
CREATE TRIGGER top_up_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON top_up
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_top_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM standing_top_up AS standing JOIN settlement ON settlement.partner_id = standing.partner_id
        WHERE standing.id = NEW.standing_top_up_id AND settlement.id = NEW.settlement_id
          AND standing.revoked_at IS NULL AND NEW.quantity <= standing.per_settlement
    ) THEN
        RAISE EXCEPTION 'a top-up is not within its standing instruction'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'top_up_within_its_instruction';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER top_up_instructed BEFORE INSERT ON top_up FOR EACH ROW EXECUTE FUNCTION check_top_up();

ALTER TABLE ledger_entry
    DROP CONSTRAINT ledger_entry_kind_known,
    ADD CONSTRAINT ledger_entry_kind_known CHECK (kind IN (
        'deposit', 'withdrawal', 'withdrawal_reserved', 'withdrawal_released', 'top_up',
        'allocation_reserved', 'allocation_cleared', 'allocation_released',
        'deallocation_reserved', 'deallocation_cleared', 'deallocation_released',
        'settlement_held', 'settlement_executed', 'settlement_rejected',
        'dispute_closure_held', 'dispute_closure_cancelled',
        'onchain_loss_paid', 'onchain_gain_paid', 'onchain_deposit_credited', 'onchain_deposit_released')) NOT VALID;
ALTER TABLE signed_request
    DROP CONSTRAINT signed_request_operation_known,
    ADD CONSTRAINT signed_request_operation_known CHECK (operation IN (
        'settlement.stage', 'settlement.immediate', 'settlement.onchain', 'settlement.deposits', 'settlement.withdraw',
        'allocation', 'deallocation', 'allocation.decide', 'deallocation.decide', 'connection.create',
        'dispute.raise', 'dispute.update', 'dispute.close', 'account.require_intent', 'connection.update',
        'loss_limits.change', 'approval_thresholds.change', 'daily_approval_thresholds.change',
        'custodian_limits.change', 'webhook_endpoint.create', 'webhook_endpoint.update', 'webhook_endpoint.delete',
        'webhook_endpoint.rotate_secret', 'standing_top_up.create')) NOT VALID;
