-- The mark that a database is a sandbox's, and by how much its clock is ahead of the world's. A database without a row
-- here is none, and its clock cannot be moved.

CREATE TABLE sandbox (
    only_row                   boolean     NOT NULL DEFAULT true,
    clock_offset_milliseconds  bigint      NOT NULL DEFAULT 0,
    -- Where the clock was last asked to go, so that the same request again is known for what it is.
    clock_target               timestamptz,
    resets                     bigint      NOT NULL DEFAULT 0,
    CONSTRAINT sandbox_pkey PRIMARY KEY (only_row),
    CONSTRAINT sandbox_one_row CHECK (only_row),
    CONSTRAINT sandbox_clock_never_behind CHECK (clock_offset_milliseconds >= 0)
);
CREATE TRIGGER sandbox_kept BEFORE DELETE OR TRUNCATE OR UPDATE OF only_row ON sandbox
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

CREATE FUNCTION check_clock_forwards() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the clock of a sandbox only goes forwards, except where all else begins anew'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'sandbox_clock_forwards';
END $$;
CREATE TRIGGER sandbox_clock_forwards BEFORE UPDATE ON sandbox
    FOR EACH ROW WHEN (NEW.resets < OLD.resets
                       OR (NEW.resets = OLD.resets AND NEW.clock_offset_milliseconds < OLD.clock_offset_milliseconds))
    EXECUTE FUNCTION check_clock_forwards();
