-- Balances, the double-entry journal and holds. Protocol §1 and §10.1 to §10.3.
--
-- Quantities are whole base units. A balance is kept per (account, currency) in two buckets; the outside world
-- is the nil account, the only one that may be negative, so that each currency always sums to zero.

CREATE DOMAIN base_units AS numeric
    CONSTRAINT base_units_whole CHECK (scale(VALUE) = 0)
    CONSTRAINT base_units_78_digits CHECK (abs(VALUE) < 1e78);

CREATE TABLE currency (
    name        text    NOT NULL,
    backing     text    NOT NULL,
    decimals    integer NOT NULL,
    CONSTRAINT currency_pkey PRIMARY KEY (name),
    CONSTRAINT currency_name_form CHECK (name ~ '^ofc[a-z0-9:.-]{1,60}$'),
    CONSTRAINT currency_decimals_range CHECK (decimals BETWEEN 0 AND 36)
);

CREATE TABLE account (
    id          uuid        NOT NULL,
    kind        text        NOT NULL,
    partner_id  uuid        NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT account_pkey PRIMARY KEY (id),
    CONSTRAINT account_kind_known CHECK (kind IN ('outside', 'go', 'network')),
    CONSTRAINT account_outside_is_nil CHECK
        ((kind = 'outside') = (id = '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT account_partner_for_network_only CHECK
        ((kind = 'network') = (partner_id <> '00000000-0000-0000-0000-000000000000'))
);
INSERT INTO account VALUES
    ('00000000-0000-0000-0000-000000000000', 'outside', '00000000-0000-0000-0000-000000000000', 'epoch');

CREATE TABLE go_account (
    account_id     uuid        NOT NULL,
    enterprise_id  text        NOT NULL,
    label          text,
    is_default     boolean     NOT NULL,
    created_at     timestamptz NOT NULL,
    CONSTRAINT go_account_pkey PRIMARY KEY (account_id),
    CONSTRAINT go_account_account_fkey FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT go_account_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id)
);
CREATE UNIQUE INDEX go_account_one_default ON go_account (enterprise_id) WHERE is_default;
CREATE INDEX go_account_enterprise ON go_account (enterprise_id);

CREATE TABLE go_account_key (
    id              uuid        NOT NULL,
    account_id      uuid        NOT NULL,
    pub             text        NOT NULL,
    public_key      bytea       NOT NULL,
    encrypted_prv   text,
    created_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    CONSTRAINT go_account_key_pkey PRIMARY KEY (id),
    CONSTRAINT go_account_key_account_fkey FOREIGN KEY (account_id) REFERENCES go_account (account_id),
    CONSTRAINT go_account_key_compressed CHECK (octet_length(public_key) = 33)
);
CREATE INDEX go_account_key_account ON go_account_key (account_id);
CREATE UNIQUE INDEX go_account_key_active_once ON go_account_key (account_id, public_key) WHERE revoked_at IS NULL;

CREATE TABLE balance (
    account_id  uuid       NOT NULL,
    currency    text       NOT NULL,
    available   base_units NOT NULL,
    held        base_units NOT NULL,
    CONSTRAINT balance_pkey PRIMARY KEY (account_id, currency),
    CONSTRAINT balance_account_fkey FOREIGN KEY (account_id) REFERENCES account (id),
    CONSTRAINT balance_currency_fkey FOREIGN KEY (currency) REFERENCES currency (name),
    CONSTRAINT balance_available_not_negative CHECK
        (available >= 0 OR account_id = '00000000-0000-0000-0000-000000000000'),
    CONSTRAINT balance_held_not_negative CHECK (held >= 0)
) WITH (fillfactor = 50);
CREATE TRIGGER balance_kept BEFORE DELETE OR TRUNCATE OR UPDATE OF account_id, currency ON balance
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

CREATE TABLE ledger_entry (
    id          uuid        NOT NULL,
    partner_id  uuid        NOT NULL,
    kind        text        NOT NULL,
    cause_id    uuid        NOT NULL,
    reference   text,
    created_at  timestamptz NOT NULL,
    CONSTRAINT ledger_entry_pkey PRIMARY KEY (id),
    CONSTRAINT ledger_entry_kind_known CHECK (kind IN (
        'deposit', 'withdrawal',
        'allocation_reserved', 'allocation_cleared', 'allocation_released',
        'deallocation_reserved', 'deallocation_cleared', 'deallocation_released',
        'settlement_held', 'settlement_executed', 'settlement_rejected',
        'dispute_closure_held'))
);
CREATE INDEX ledger_entry_cause ON ledger_entry (cause_id);
CREATE INDEX ledger_entry_created ON ledger_entry (created_at, id);

-- A deposit or withdrawal happens once per account and reference: the operator's idempotency key.
CREATE TABLE custody_movement (
    account_id  uuid        NOT NULL,
    reference   text        NOT NULL,
    entry_id    uuid        NOT NULL,
    kind        text        NOT NULL,
    currency    text        NOT NULL,
    quantity    base_units  NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT custody_movement_pkey PRIMARY KEY (account_id, reference),
    CONSTRAINT custody_movement_account_fkey FOREIGN KEY (account_id) REFERENCES go_account (account_id),
    CONSTRAINT custody_movement_entry_fkey FOREIGN KEY (entry_id) REFERENCES ledger_entry (id),
    CONSTRAINT custody_movement_kind_known CHECK (kind IN ('deposit', 'withdrawal')),
    CONSTRAINT custody_movement_positive CHECK (quantity > 0)
);

CREATE TABLE posting (
    partner_id  uuid       NOT NULL,
    entry_id    uuid       NOT NULL,
    account_id  uuid       NOT NULL,
    currency    text       NOT NULL,
    bucket      text       NOT NULL,
    quantity    base_units NOT NULL,
    CONSTRAINT posting_pkey PRIMARY KEY (entry_id, account_id, currency, bucket),
    CONSTRAINT posting_bucket_known CHECK (bucket IN ('available', 'held')),
    CONSTRAINT posting_not_zero CHECK (quantity <> 0)
);
CREATE INDEX posting_account ON posting (account_id, currency);

-- Foreign keys and the zero sum are checked once for a whole statement: a row-wise check of 100 000 postings
-- would cost more than everything else a settlement does. An entry is posted by one statement.
CREATE FUNCTION check_postings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM new_posting GROUP BY entry_id, currency HAVING sum(quantity) <> 0
    ) THEN
        RAISE EXCEPTION 'a journal entry does not sum to zero'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'posting_sums_to_zero';
    END IF;
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT entry_id FROM new_posting) AS posted
        LEFT JOIN ledger_entry ON ledger_entry.id = posted.entry_id
        WHERE ledger_entry.id IS NULL
    ) THEN
        RAISE EXCEPTION 'a posting names no journal entry'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'posting_entry_exists';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER posting_checked AFTER INSERT ON posting
    REFERENCING NEW TABLE AS new_posting FOR EACH STATEMENT EXECUTE FUNCTION check_postings();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_append_only';
END $$;
CREATE TRIGGER ledger_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON posting
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER custody_movement_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON custody_movement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_record_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_record
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Why an amount is held. A row exists exactly as long as its cause is open. Protocol §10.2.
CREATE TABLE hold (
    partner_id  uuid       NOT NULL,
    cause_id    uuid       NOT NULL,
    cause_kind  text       NOT NULL,
    account_id  uuid       NOT NULL,
    currency    text       NOT NULL,
    quantity    base_units NOT NULL,
    CONSTRAINT hold_pkey PRIMARY KEY (cause_id, account_id, currency),
    CONSTRAINT hold_cause_known CHECK (cause_kind IN ('allocation', 'deallocation', 'settlement', 'dispute')),
    CONSTRAINT hold_positive CHECK (quantity > 0)
);
CREATE TRIGGER hold_balance_fkey AFTER INSERT ON hold
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT
    EXECUTE FUNCTION check_references('hold_balance_fkey', 'account_id, currency', 'balance',
        '(balance.account_id, balance.currency) = (given.account_id, given.currency)');
CREATE TRIGGER hold_key_kept BEFORE UPDATE OF cause_id, account_id, currency ON hold
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
