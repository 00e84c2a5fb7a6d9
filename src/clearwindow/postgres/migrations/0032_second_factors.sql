-- Second factors of operators, tokens of programs, thresholds of a day, and limits of custodian keys. Protocol §2 to §4.

-- An operator's authenticator. The secret is encrypted, of the recovery codes only the hashes are kept, and a used one
-- is removed. `last_step` is the newest step of 30 seconds whose code was accepted: it and all before it are used up.
CREATE TABLE second_factor (
    id               uuid        NOT NULL,
    operator_id      uuid        NOT NULL,
    sealed_secret    bytea       NOT NULL,
    recovery_sha256  bytea[]     NOT NULL,
    last_step        bigint      NOT NULL,
    failures         integer     NOT NULL,
    locked_until     timestamptz,
    created_at       timestamptz NOT NULL,
    confirmed_at     timestamptz,
    CONSTRAINT second_factor_pkey PRIMARY KEY (id),
    CONSTRAINT second_factor_operator_key UNIQUE (operator_id),
    CONSTRAINT second_factor_operator_fkey FOREIGN KEY (operator_id) REFERENCES operator (id),
    CONSTRAINT second_factor_counts CHECK (last_step >= 0 AND failures >= 0),
    CONSTRAINT second_factor_recovery_once_confirmed CHECK (confirmed_at IS NOT NULL OR recovery_sha256 = '{}')
);

CREATE FUNCTION check_second_factor_spent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a code that was used once is not used again'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'second_factor_code_once';
END $$;
CREATE TRIGGER second_factor_spent BEFORE UPDATE ON second_factor
    FOR EACH ROW WHEN (NEW.last_step < OLD.last_step
                       OR (OLD.confirmed_at IS NOT NULL AND NOT NEW.recovery_sha256 <@ OLD.recovery_sha256))
    EXECUTE FUNCTION check_second_factor_spent();

-- A program's token has nobody who could look at what it approves.
ALTER TABLE access_token ADD COLUMN program boolean NOT NULL DEFAULT false;

-- What an enterprise lets its users do alone, by currency: an allocation of up to `threshold`, allocations of a day up to
-- `daily_threshold`, and texts that the custodian signs on a UTC day up to `custodian_limit`.
ALTER TABLE approval_threshold
    ADD COLUMN kind text NOT NULL DEFAULT 'threshold',
    ADD CONSTRAINT approval_threshold_kind_known CHECK (kind IN ('threshold', 'daily_threshold', 'custodian_limit')),
    DROP CONSTRAINT approval_threshold_pkey,
    ADD CONSTRAINT approval_threshold_pkey PRIMARY KEY (enterprise_id, kind, currency);
ALTER TABLE approval_threshold ALTER COLUMN kind DROP DEFAULT;

-- `day_quantity`: the allocations of the day that nobody approved, with this one, if they are why it waits.
ALTER TABLE approval
    ADD COLUMN day_quantity base_units,
    DROP CONSTRAINT approval_kind_known,
    ADD CONSTRAINT approval_kind_known
        CHECK (kind IN ('allocation', 'threshold', 'daily_threshold', 'custodian_limit')),
    DROP CONSTRAINT approval_above_the_threshold,
    ADD CONSTRAINT approval_above_the_threshold CHECK (coalesce(day_quantity, quantity) > threshold),
    ADD CONSTRAINT approval_day_of_an_allocation
        CHECK (day_quantity IS NULL OR (kind = 'allocation' AND day_quantity >= quantity));
DROP INDEX approval_one_open_change;
CREATE UNIQUE INDEX approval_one_open_change ON approval (enterprise_id, kind, currency)
    WHERE kind <> 'allocation' AND status = 'pending';

-- The allocations of the last 24 hours to one partner that nobody approved.
CREATE INDEX allocation_unapproved ON allocation (client_id, partner_id, currency, created_at)
    WHERE type = 'allocation' AND pending_approval_id IS NULL AND status <> 'released';

-- Each text that a custodian key signed, once, and the sum of a UTC day. Signing it again counts nothing. A text that does
-- not say what it is for may be for several operations.
CREATE TABLE custodian_signature (
    key_id          uuid        NOT NULL,
    payload_sha256  bytea       NOT NULL,
    enterprise_id   text        NOT NULL,
    user_id         text        NOT NULL,
    operations      text[]      NOT NULL,
    signed_at       timestamptz NOT NULL,
    CONSTRAINT custodian_signature_pkey PRIMARY KEY (key_id, payload_sha256),
    CONSTRAINT custodian_signature_key_fkey FOREIGN KEY (key_id) REFERENCES go_account_key (id),
    CONSTRAINT custodian_signature_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id),
    CONSTRAINT custodian_signature_user_fkey FOREIGN KEY (user_id) REFERENCES network_user (id)
);
CREATE TRIGGER custodian_signature_kept BEFORE DELETE OR UPDATE OR TRUNCATE ON custodian_signature
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

CREATE TABLE custodian_day (
    enterprise_id  text        NOT NULL,
    day            date        NOT NULL,
    currency       text        NOT NULL,
    quantity       base_units  NOT NULL,
    CONSTRAINT custodian_day_pkey PRIMARY KEY (enterprise_id, day, currency),
    CONSTRAINT custodian_day_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id),
    CONSTRAINT custodian_day_currency_fkey FOREIGN KEY (currency) REFERENCES currency (name),
    CONSTRAINT custodian_day_not_negative CHECK (quantity >= 0)
);
