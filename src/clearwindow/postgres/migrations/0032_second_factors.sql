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
