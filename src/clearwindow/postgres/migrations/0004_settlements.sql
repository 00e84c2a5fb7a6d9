-- Settlements, their parties and transfers, disputes and closures. Protocol §5 and §6.

CREATE TABLE settlement (
    id                      uuid        NOT NULL,
    partner_id              uuid        NOT NULL,
    external_id             text        NOT NULL,
    state                   text        NOT NULL,
    settlement_type         text        NOT NULL,
    request_sha256          bytea       NOT NULL,
    staged_answer           text        NOT NULL,
    notes                   text,
    initiated_by            text        NOT NULL,
    cutoff_at               timestamptz NOT NULL,
    created_at              timestamptz NOT NULL,
    updated_at              timestamptz NOT NULL,
    dispute_deadline_at     timestamptz NOT NULL,
    top_up_deadline_at      timestamptz NOT NULL,
    execute_when_funded     boolean     NOT NULL,
    due_at                  timestamptz,
    attempts                integer     NOT NULL DEFAULT 0,
    last_error              text,
    finalized_at            timestamptz,
    reason                  text,
    CONSTRAINT settlement_pkey PRIMARY KEY (id),
    CONSTRAINT settlement_external_id_key UNIQUE (partner_id, external_id),
    CONSTRAINT settlement_partner_fkey FOREIGN KEY (partner_id) REFERENCES partner (id),
    CONSTRAINT settlement_state_known CHECK
        (state IN ('dispute_window', 'top_up_window', 'failed', 'completed', 'rejected')),
    CONSTRAINT settlement_type_known CHECK (settlement_type IN ('offchain', 'onchain')),
    CONSTRAINT settlement_deadlines_ordered CHECK
        (created_at <= dispute_deadline_at AND dispute_deadline_at <= top_up_deadline_at),
    CONSTRAINT settlement_open_is_due CHECK
        (state IN ('failed', 'completed', 'rejected') OR due_at IS NOT NULL),
    CONSTRAINT settlement_ended_is_not_due CHECK
        (state NOT IN ('completed', 'rejected') OR (due_at IS NULL AND finalized_at IS NOT NULL)),
    CONSTRAINT settlement_reason_when_not_executed CHECK
        ((state IN ('failed', 'rejected')) = (reason IS NOT NULL))
);
CREATE TRIGGER settlement_kept BEFORE DELETE OR TRUNCATE OR UPDATE OF id ON settlement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE INDEX settlement_due ON settlement (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX settlement_partner_created ON settlement (partner_id, created_at, id);

CREATE FUNCTION check_settlement_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.state, NEW.state) NOT IN (
        ('dispute_window', 'top_up_window'), ('dispute_window', 'rejected'),
        ('top_up_window', 'completed'), ('top_up_window', 'failed'), ('top_up_window', 'rejected'),
        ('failed', 'top_up_window'), ('failed', 'completed'), ('failed', 'rejected')
    ) THEN
        RAISE EXCEPTION 'a settlement cannot go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'settlement_transition_allowed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER settlement_transition BEFORE UPDATE OF state ON settlement
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION check_settlement_transition();

-- One connection's part in a settlement. `disputed` is frozen when the dispute window ends.
CREATE TABLE settlement_party (
    settlement_id        uuid        NOT NULL,
    partner_id           uuid        NOT NULL,
    connection_id        uuid        NOT NULL,
    dispute_deadline_at  timestamptz NOT NULL,
    disputed             boolean     NOT NULL,
    CONSTRAINT settlement_party_pkey PRIMARY KEY (settlement_id, connection_id)
);
CREATE TRIGGER settlement_party_settlement_fkey AFTER INSERT ON settlement_party
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT
    EXECUTE FUNCTION check_references('settlement_party_settlement_fkey', 'settlement_id', 'settlement',
        'settlement.id = given.settlement_id');
CREATE TRIGGER settlement_party_connection_fkey AFTER INSERT ON settlement_party
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT
    EXECUTE FUNCTION check_references('settlement_party_connection_fkey', 'connection_id', 'connection',
        'connection.id = given.connection_id');
CREATE TRIGGER settlement_party_kept
    BEFORE DELETE OR TRUNCATE OR UPDATE OF settlement_id, connection_id ON settlement_party
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE INDEX settlement_party_connection ON settlement_party (connection_id, settlement_id);

CREATE TABLE dispute (
    id                        uuid        NOT NULL,
    partner_id                uuid        NOT NULL,
    settlement_id             uuid        NOT NULL,
    connection_id             uuid        NOT NULL,
    user_id                   text        NOT NULL,
    reason                    text,
    expected_transfers        jsonb       NOT NULL,
    retracted                 boolean     NOT NULL,
    retracted_by              text,
    retracted_at              timestamptz,
    retracted_reason          text,
    settled_in_settlement_id  uuid,
    created_at                timestamptz NOT NULL,
    updated_at                timestamptz NOT NULL,
    CONSTRAINT dispute_pkey PRIMARY KEY (id),
    CONSTRAINT dispute_once_per_party UNIQUE (settlement_id, connection_id),
    CONSTRAINT dispute_party_fkey FOREIGN KEY (settlement_id, connection_id)
        REFERENCES settlement_party (settlement_id, connection_id),
    CONSTRAINT dispute_settled_in_fkey FOREIGN KEY (settled_in_settlement_id) REFERENCES settlement (id),
    CONSTRAINT dispute_retraction_whole CHECK
        (retracted = (retracted_by IS NOT NULL) AND retracted = (retracted_at IS NOT NULL)),
    CONSTRAINT dispute_settled_is_not_retracted CHECK (NOT (retracted AND settled_in_settlement_id IS NOT NULL)),
    CONSTRAINT dispute_settled_in_another CHECK (settled_in_settlement_id <> settlement_id)
);
CREATE INDEX dispute_partner ON dispute (partner_id, created_at, id);
CREATE INDEX dispute_connection ON dispute (connection_id, created_at, id);
CREATE INDEX dispute_settled_in ON dispute (settled_in_settlement_id) WHERE settled_in_settlement_id IS NOT NULL;

CREATE FUNCTION check_settled_in_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the settlement a dispute is settled in never changes'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'dispute_settled_in_once';
END $$;
CREATE TRIGGER dispute_settled_in_once BEFORE UPDATE OF settled_in_settlement_id ON dispute
    FOR EACH ROW WHEN (OLD.settled_in_settlement_id IS NOT NULL
                       AND OLD.settled_in_settlement_id IS DISTINCT FROM NEW.settled_in_settlement_id)
    EXECUTE FUNCTION check_settled_in_once();

CREATE TABLE dispute_closure (
    id                  uuid        NOT NULL,
    partner_id          uuid        NOT NULL,
    dispute_id          uuid        NOT NULL,
    status              text        NOT NULL,
    closed_by           text        NOT NULL,
    user_id             text        NOT NULL,
    notes               text        NOT NULL,
    adjusted_transfers  jsonb       NOT NULL,
    payload             text,
    signature           text,
    request_sha256      bytea       NOT NULL,
    reviewed_by         text,
    review_notes        text,
    reviewed_at         timestamptz,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    CONSTRAINT dispute_closure_pkey PRIMARY KEY (id),
    CONSTRAINT dispute_closure_dispute_fkey FOREIGN KEY (dispute_id) REFERENCES dispute (id),
    CONSTRAINT dispute_closure_status_known CHECK (status IN ('pending_review', 'approved', 'rejected')),
    CONSTRAINT dispute_closure_closed_by_known CHECK (closed_by IN ('client', 'admin')),
    CONSTRAINT dispute_closure_four_eyes CHECK (closed_by = 'client' OR reviewed_by IS DISTINCT FROM user_id),
    CONSTRAINT dispute_closure_review_whole CHECK ((status = 'pending_review') = (reviewed_by IS NULL))
);
CREATE TRIGGER dispute_closure_kept BEFORE DELETE OR TRUNCATE OR UPDATE OF id ON dispute_closure
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE UNIQUE INDEX dispute_closure_one_standing ON dispute_closure (dispute_id) WHERE status <> 'rejected';
CREATE INDEX dispute_closure_approved ON dispute_closure (partner_id, dispute_id) WHERE status = 'approved';

CREATE FUNCTION check_closure_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a dispute closure cannot go from % to %', OLD.status, NEW.status
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'dispute_closure_transition_allowed';
END $$;
CREATE TRIGGER dispute_closure_transition BEFORE UPDATE OF status ON dispute_closure
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND OLD.status <> 'pending_review')
    EXECUTE FUNCTION check_closure_transition();

-- A positive quantity moves from the partner's Go Account to the connection, a negative one the other way.
-- A transfer of a dispute closure waits without a settlement until the next one takes it.
CREATE TABLE settlement_transfer (
    id                  uuid        NOT NULL,
    partner_id          uuid        NOT NULL,
    settlement_id       uuid,
    dispute_closure_id  uuid,
    connection_id       uuid        NOT NULL,
    network_account_id  uuid        NOT NULL,
    currency            text        NOT NULL,
    quantity            base_units  NOT NULL,
    created_at          timestamptz NOT NULL,
    assigned_at         timestamptz,
    CONSTRAINT settlement_transfer_pkey PRIMARY KEY (id),
    CONSTRAINT settlement_transfer_not_zero CHECK (quantity <> 0),
    CONSTRAINT settlement_transfer_waits_for_settlement CHECK
        (settlement_id IS NOT NULL OR dispute_closure_id IS NOT NULL)
);
CREATE TRIGGER settlement_transfer_settlement_fkey AFTER INSERT ON settlement_transfer
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT
    EXECUTE FUNCTION check_references('settlement_transfer_settlement_fkey', 'settlement_id, connection_id',
        'settlement_party', '(settlement_party.settlement_id, settlement_party.connection_id)'
        ' = (given.settlement_id, given.connection_id)');
CREATE TRIGGER settlement_transfer_settlement_fkey_update AFTER UPDATE ON settlement_transfer
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT
    EXECUTE FUNCTION check_references('settlement_transfer_settlement_fkey', 'settlement_id, connection_id',
        'settlement_party', '(settlement_party.settlement_id, settlement_party.connection_id)'
        ' = (given.settlement_id, given.connection_id)');
-- No update changes the closure: see check_transfer_change.
CREATE TRIGGER settlement_transfer_closure_fkey AFTER INSERT ON settlement_transfer
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT
    EXECUTE FUNCTION check_references('settlement_transfer_closure_fkey', 'dispute_closure_id',
        'dispute_closure', 'dispute_closure.id = given.dispute_closure_id');
CREATE INDEX settlement_transfer_settlement ON settlement_transfer (settlement_id, connection_id);
CREATE INDEX settlement_transfer_closure ON settlement_transfer (dispute_closure_id)
    WHERE dispute_closure_id IS NOT NULL;

CREATE FUNCTION check_transfer_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a settlement transfer is never changed once a settlement has it'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'settlement_transfer_assigned_once';
END $$;
CREATE TRIGGER settlement_transfer_assigned_once BEFORE UPDATE ON settlement_transfer
    FOR EACH ROW WHEN (OLD.settlement_id IS NOT NULL
        OR (OLD.id, OLD.dispute_closure_id, OLD.connection_id, OLD.currency, OLD.quantity)
            IS DISTINCT FROM (NEW.id, NEW.dispute_closure_id, NEW.connection_id, NEW.currency, NEW.quantity))
    EXECUTE FUNCTION check_transfer_change();

-- The status of a transfer is not stored twice: it follows its settlement and whether its party disputed.
CREATE VIEW settlement_transfer_view AS
SELECT transfer.id, transfer.partner_id, transfer.settlement_id, transfer.dispute_closure_id,
       transfer.connection_id, transfer.network_account_id, transfer.currency, transfer.quantity,
       transfer.created_at,
       coalesce(settlement.updated_at, transfer.created_at) AS updated_at,
       CASE
           WHEN transfer.settlement_id IS NULL THEN 'pending_settlement_assignment'
           WHEN transfer.dispute_closure_id IS NULL AND party.disputed THEN 'disputed'
           WHEN settlement.state IN ('dispute_window', 'top_up_window') THEN 'pending'
           ELSE settlement.state
       END AS status
FROM settlement_transfer AS transfer
LEFT JOIN settlement ON settlement.id = transfer.settlement_id
LEFT JOIN settlement_party AS party
    ON (party.settlement_id, party.connection_id) = (transfer.settlement_id, transfer.connection_id);
