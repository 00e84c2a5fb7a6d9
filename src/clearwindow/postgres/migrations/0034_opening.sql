-- The network was opened in earnest: its first administrators exist, and nobody else is made an operator from outside.
-- A database without this row is a sandbox, or was not opened yet. Protocol §2.
CREATE TABLE opening (
    only_row         boolean     NOT NULL DEFAULT true,
    opened_at        timestamptz NOT NULL,
    -- Chosen when it was opened, and never later.
    single_operator  boolean     NOT NULL,
    CONSTRAINT opening_pkey PRIMARY KEY (only_row),
    CONSTRAINT opening_one_row CHECK (only_row)
);
CREATE TRIGGER opening_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON opening
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

CREATE FUNCTION check_opening() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM sandbox) THEN
        RAISE EXCEPTION 'a sandbox is never opened in earnest'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'opening_of_no_sandbox';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER opening_of_no_sandbox BEFORE INSERT ON opening FOR EACH ROW EXECUTE FUNCTION check_opening();

-- The same as before, and it also refuses a network that was opened. The lock waits for an opening under way.
CREATE OR REPLACE FUNCTION mark_sandbox() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    LOCK TABLE enterprise, opening, sandbox IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM enterprise) OR EXISTS (SELECT FROM opening) THEN
        RAISE EXCEPTION 'a database that holds enterprises or was opened in earnest cannot become a sandbox'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'sandbox_was_empty';
    END IF;
    INSERT INTO sandbox DEFAULT VALUES ON CONFLICT DO NOTHING;
END $$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION mark_sandbox() SET search_path = pg_catalog, %I, pg_temp', current_schema());
END $$;

-- What the name looks like: equal for names that people cannot tell apart. Null for operators from before.
ALTER TABLE operator ADD COLUMN look text, ADD CONSTRAINT operator_look_key UNIQUE (look);
