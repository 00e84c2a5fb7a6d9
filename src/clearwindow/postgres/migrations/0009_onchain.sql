-- On-chain settlement, and the simulated chain. Protocol §7.

ALTER TABLE partner_configuration
    ADD COLUMN onchain_enabled   boolean NOT NULL DEFAULT false,
    ADD COLUMN loss_sla_minutes  numeric,
    ADD COLUMN gain_sla_minutes  numeric,
    ADD CONSTRAINT partner_configuration_sla_range CHECK
        (loss_sla_minutes > 0 AND loss_sla_minutes <= 525600 AND gain_sla_minutes > 0 AND gain_sla_minutes <= 525600);

ALTER TABLE partner ADD COLUMN settlement_transaction_route_id text;

ALTER TABLE settlement
    ALTER COLUMN cutoff_at DROP NOT NULL,
    ADD COLUMN rt_id                text,
    ADD COLUMN loss_sla_alert_sent  boolean NOT NULL DEFAULT false,
    ADD COLUMN gain_sla_alert_sent  boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT settlement_state_known,
    ADD CONSTRAINT settlement_state_known CHECK
        (state IN ('dispute_window', 'top_up_window', 'onchain', 'failed', 'completed', 'rejected')),
    ADD CONSTRAINT settlement_onchain_state_of_its_type CHECK (state <> 'onchain' OR settlement_type = 'onchain'),
    ADD CONSTRAINT settlement_onchain_only CHECK
        (settlement_type = 'onchain' OR (rt_id IS NULL AND NOT loss_sla_alert_sent AND NOT gain_sla_alert_sent));

CREATE OR REPLACE FUNCTION check_settlement_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('dispute_window', 'top_up_window'), ('dispute_window', 'rejected'),
        ('top_up_window', 'completed'), ('top_up_window', 'failed'), ('top_up_window', 'rejected'),
        ('onchain', 'completed'), ('onchain', 'failed'), ('onchain', 'rejected'),
        ('failed', 'top_up_window'), ('failed', 'onchain'), ('failed', 'completed'), ('failed', 'rejected')
    ) THEN
        RAISE EXCEPTION 'a settlement cannot go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'settlement_transition_allowed';
    END IF;
    RETURN NEW;
END $$;

-- The id of an on-chain settlement by its externalId, from its first deposit or its own request on: a deposit that
-- comes first must name the settlement that it is for.
CREATE TABLE onchain_reservation (
    partner_id     uuid        NOT NULL,
    external_id    text        NOT NULL,
    settlement_id  uuid        NOT NULL,
    created_at     timestamptz NOT NULL,
    CONSTRAINT onchain_reservation_pkey PRIMARY KEY (partner_id, external_id),
    CONSTRAINT onchain_reservation_settlement_key UNIQUE (settlement_id),
    CONSTRAINT onchain_reservation_partner_fkey FOREIGN KEY (partner_id) REFERENCES partner (id)
);
CREATE TRIGGER onchain_reservation_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON onchain_reservation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_settlement_reservation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM onchain_reservation AS reserved
        WHERE (reserved.partner_id, reserved.external_id) = (NEW.partner_id, NEW.external_id)
          AND (reserved.settlement_id, 'onchain') IS DISTINCT FROM (NEW.id, NEW.settlement_type)
    ) THEN
        RAISE EXCEPTION 'the externalId % is that of deposits for an on-chain settlement', NEW.external_id
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'settlement_external_id_reserved';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER settlement_external_id_reserved BEFORE INSERT ON settlement
    FOR EACH ROW EXECUTE FUNCTION check_settlement_reservation();

-- Where an on-chain settlement stands, and until when each side is promised: frozen when it is initiated.
CREATE TABLE onchain_course (
    settlement_id  uuid        NOT NULL,
    partner_id     uuid        NOT NULL,
    phase          text        NOT NULL,
    loss_alert_at  timestamptz,
    loss_sla_at    timestamptz,
    gain_alert_at  timestamptz,
    gain_sla_at    timestamptz,
    CONSTRAINT onchain_course_pkey PRIMARY KEY (settlement_id),
    CONSTRAINT onchain_course_settlement_fkey FOREIGN KEY (settlement_id) REFERENCES settlement (id),
    CONSTRAINT onchain_course_phase_known CHECK (phase IN ('losses', 'deposits', 'gains'))
);

CREATE FUNCTION check_onchain_phase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.phase, NEW.phase) NOT IN (('losses', 'deposits'), ('deposits', 'gains')) THEN
        RAISE EXCEPTION 'an on-chain settlement cannot go from % to %', OLD.phase, NEW.phase
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'onchain_phase_allowed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER onchain_phase_allowed BEFORE UPDATE OF phase ON onchain_course
    FOR EACH ROW WHEN (OLD.phase IS DISTINCT FROM NEW.phase) EXECUTE FUNCTION check_onchain_phase();

-- The course of each transfer of an on-chain settlement. `payment_id` is what the chain knows a try by: the same try
-- handed over twice is paid once; a new try, with a new id, is made only after the chain has given the last one up.
CREATE TABLE onchain_transfer (
    transfer_id         uuid        NOT NULL,
    settlement_id       uuid        NOT NULL,
    partner_id          uuid        NOT NULL,
    network_account_id  uuid        NOT NULL,
    side                text        NOT NULL,
    currency            text        NOT NULL,
    quantity            base_units  NOT NULL,
    status              text        NOT NULL,
    payment_id          uuid,
    tx_id               text,
    failures            integer     NOT NULL DEFAULT 0,
    failure             text,
    retry_at            timestamptz,
    updated_at          timestamptz NOT NULL,
    CONSTRAINT onchain_transfer_pkey PRIMARY KEY (transfer_id),
    CONSTRAINT onchain_transfer_transfer_fkey FOREIGN KEY (transfer_id) REFERENCES settlement_transfer (id),
    CONSTRAINT onchain_transfer_course_fkey FOREIGN KEY (settlement_id) REFERENCES onchain_course (settlement_id),
    CONSTRAINT onchain_transfer_payment_key UNIQUE (payment_id),
    CONSTRAINT onchain_transfer_side_known CHECK (side IN ('loss', 'gain')),
    CONSTRAINT onchain_transfer_positive CHECK (quantity > 0),
    CONSTRAINT onchain_transfer_status_known CHECK
        (status IN ('pending_onchain', 'onchain_initiated', 'onchain_failed', 'completed')),
    CONSTRAINT onchain_transfer_has_its_payment CHECK ((status = 'pending_onchain') = (payment_id IS NULL)),
    CONSTRAINT onchain_transfer_completed_by CHECK (status <> 'completed' OR tx_id IS NOT NULL),
    CONSTRAINT onchain_transfer_failed_for_a_reason CHECK
        ((status = 'onchain_failed') = (failure IS NOT NULL) AND (status = 'onchain_failed') = (retry_at IS NOT NULL))
);
CREATE INDEX onchain_transfer_settlement ON onchain_transfer (settlement_id, side, status);

CREATE FUNCTION check_onchain_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('pending_onchain', 'onchain_initiated'), ('onchain_failed', 'onchain_initiated'),
        ('onchain_initiated', 'completed'), ('onchain_initiated', 'onchain_failed')
    ) OR (OLD.status = 'onchain_failed') <> (OLD.payment_id IS NOT NULL
                                             AND OLD.payment_id IS DISTINCT FROM NEW.payment_id) THEN
        RAISE EXCEPTION 'an on-chain transfer cannot go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'onchain_transfer_transition_allowed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER onchain_transfer_transition BEFORE UPDATE ON onchain_transfer
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status OR OLD.payment_id IS DISTINCT FROM NEW.payment_id)
    EXECUTE FUNCTION check_onchain_transfer();

CREATE TABLE onchain_deposit (
    id                      uuid        NOT NULL,
    partner_id              uuid        NOT NULL,
    settlement_id           uuid        NOT NULL,
    external_settlement_id  text        NOT NULL,
    currency                text        NOT NULL,
    partner_currency        text        NOT NULL,
    on_chain_tx_id          text        NOT NULL,
    status                  text        NOT NULL,
    quantity                base_units,
    entry_id                uuid,
    failure                 text,
    due_at                  timestamptz,
    attempts                integer     NOT NULL DEFAULT 0,
    last_error              text,
    created_at              timestamptz NOT NULL,
    updated_at              timestamptz NOT NULL,
    CONSTRAINT onchain_deposit_pkey PRIMARY KEY (id),
    CONSTRAINT onchain_deposit_transaction_key UNIQUE (partner_id, currency, on_chain_tx_id),
    CONSTRAINT onchain_deposit_reservation_fkey FOREIGN KEY (settlement_id)
        REFERENCES onchain_reservation (settlement_id),
    CONSTRAINT onchain_deposit_currency_fkey FOREIGN KEY (currency) REFERENCES currency (name),
    CONSTRAINT onchain_deposit_entry_fkey FOREIGN KEY (entry_id) REFERENCES ledger_entry (id),
    CONSTRAINT onchain_deposit_status_known CHECK
        (status IN ('pending', 'confirmed', 'spent', 'released', 'failed')),
    CONSTRAINT onchain_deposit_positive CHECK (quantity > 0),
    CONSTRAINT onchain_deposit_pending_is_due CHECK ((status = 'pending') = (due_at IS NOT NULL)),
    CONSTRAINT onchain_deposit_credited_whole CHECK
        ((status IN ('confirmed', 'spent', 'released')) = (quantity IS NOT NULL)
         AND (quantity IS NULL) = (entry_id IS NULL)),
    CONSTRAINT onchain_deposit_failed_for_a_reason CHECK ((status = 'failed') = (failure IS NOT NULL))
);
CREATE INDEX onchain_deposit_settlement ON onchain_deposit (settlement_id);
CREATE INDEX onchain_deposit_due ON onchain_deposit (due_at) WHERE due_at IS NOT NULL;

CREATE FUNCTION check_onchain_deposit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('pending', 'confirmed'), ('pending', 'released'), ('pending', 'failed'),
        ('confirmed', 'spent'), ('confirmed', 'released')
    ) OR OLD.quantity IS DISTINCT FROM NEW.quantity AND OLD.status <> 'pending' THEN
        RAISE EXCEPTION 'an on-chain deposit cannot go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'onchain_deposit_transition_allowed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER onchain_deposit_transition BEFORE UPDATE ON onchain_deposit
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status OR OLD.quantity IS DISTINCT FROM NEW.quantity)
    EXECUTE FUNCTION check_onchain_deposit();

-- The simulated chain: what was sent over it, to partners and clients (`payment`) and by partners (`deposit`).
CREATE TABLE chain_transaction (
    id           uuid        NOT NULL,
    partner_id   uuid        NOT NULL,
    kind         text        NOT NULL,
    tx_id        text        NOT NULL,
    payment_id   uuid,
    transfer_id  uuid,
    route_id     text,
    currency     text        NOT NULL,
    quantity     base_units  NOT NULL,
    state        text        NOT NULL,
    withheld     boolean     NOT NULL,
    failure      text,
    confirms_at  timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    CONSTRAINT chain_transaction_pkey PRIMARY KEY (id),
    CONSTRAINT chain_transaction_payment_key UNIQUE (payment_id),
    CONSTRAINT chain_transaction_kind_known CHECK (kind IN ('payment', 'deposit')),
    CONSTRAINT chain_transaction_kind_whole CHECK
        ((kind = 'payment') = (payment_id IS NOT NULL) AND (kind = 'payment') = (transfer_id IS NOT NULL)),
    CONSTRAINT chain_transaction_state_known CHECK (state IN ('pending', 'confirmed', 'failed')),
    CONSTRAINT chain_transaction_positive CHECK (quantity > 0),
    CONSTRAINT chain_transaction_failed_for_a_reason CHECK ((state = 'failed') = (failure IS NOT NULL))
);
CREATE UNIQUE INDEX chain_transaction_deposit_once ON chain_transaction (partner_id, tx_id, currency)
    WHERE kind = 'deposit';
CREATE INDEX chain_transaction_transfer ON chain_transaction (transfer_id) WHERE transfer_id IS NOT NULL;
CREATE INDEX chain_transaction_created ON chain_transaction (created_at, id);

CREATE FUNCTION check_chain_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a transaction that is % on the chain stays so', OLD.state
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'chain_transaction_final';
END $$;
CREATE TRIGGER chain_transaction_final BEFORE UPDATE ON chain_transaction
    FOR EACH ROW WHEN (OLD.state <> 'pending') EXECUTE FUNCTION check_chain_transaction();

ALTER TABLE ledger_entry
    DROP CONSTRAINT ledger_entry_kind_known,
    ADD CONSTRAINT ledger_entry_kind_known CHECK (kind IN (
        'deposit', 'withdrawal',
        'allocation_reserved', 'allocation_cleared', 'allocation_released',
        'deallocation_reserved', 'deallocation_cleared', 'deallocation_released',
        'settlement_held', 'settlement_executed', 'settlement_rejected',
        'dispute_closure_held',
        'onchain_loss_paid', 'onchain_gain_paid', 'onchain_deposit_credited', 'onchain_deposit_released'));

ALTER TABLE hold
    DROP CONSTRAINT hold_cause_known,
    ADD CONSTRAINT hold_cause_known CHECK
        (cause_kind IN ('allocation', 'deallocation', 'settlement', 'dispute', 'onchain_deposit'));

-- A transfer on chain has a course of its own; its status is stored, and the transaction that carries it is shown.
CREATE OR REPLACE VIEW settlement_transfer_view AS
SELECT transfer.id, transfer.partner_id, transfer.settlement_id, transfer.dispute_closure_id,
       transfer.connection_id, transfer.network_account_id, transfer.currency, transfer.quantity,
       transfer.created_at,
       coalesce(greatest(settlement.updated_at, onchain.updated_at), transfer.created_at) AS updated_at,
       CASE
           WHEN transfer.settlement_id IS NULL THEN 'pending_settlement_assignment'
           WHEN transfer.dispute_closure_id IS NULL AND (party.disputed OR coalesce(counterparty.disputed, false))
               THEN 'disputed'
           WHEN onchain.transfer_id IS NOT NULL AND settlement.state <> 'rejected' THEN onchain.status
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
LEFT JOIN onchain_transfer AS onchain ON onchain.transfer_id = transfer.id;
