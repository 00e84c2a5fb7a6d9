-- What only the owner of the tables can do, and the application's role needs in a sandbox. Each function runs as the
-- owner and does nothing else. Decision 13.

-- Makes an empty database a sandbox. One that has held an enterprise never becomes one: enterprises are never removed.
CREATE FUNCTION mark_sandbox() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    LOCK TABLE enterprise, sandbox IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM enterprise) THEN
        RAISE EXCEPTION 'a database that holds enterprises cannot become a sandbox'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'sandbox_was_empty';
    END IF;
    INSERT INTO sandbox DEFAULT VALUES ON CONFLICT DO NOTHING;
END $$;

-- Empties a sandbox. The schema, the mark, currencies, operators and their tokens stay.
CREATE FUNCTION empty_sandbox() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    tables regclass[];
    every text;
    each regclass;
    outside account[];
    tokens access_token[];
BEGIN
    IF NOT EXISTS (SELECT FROM sandbox) THEN
        RAISE EXCEPTION 'only a database that is marked as a sandbox may be emptied'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'sandbox_marked';
    END IF;
    SELECT array_agg(oid::regclass ORDER BY relname), string_agg(oid::regclass::text, ', ' ORDER BY relname)
    INTO tables, every
    FROM pg_class
    WHERE relkind = 'r' AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'sandbox'::regclass)
      AND relname <> ALL ('{schema_migration,sandbox,currency,operator}');
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', every);
    SELECT array_agg(account) INTO outside FROM account WHERE kind = 'outside';
    SELECT array_agg(access_token) INTO tokens FROM access_token WHERE operator_id IS NOT NULL;
    -- Triggers guard rows that are never removed. Only the tables' owner can disable them.
    FOREACH each IN ARRAY tables LOOP
        EXECUTE format('ALTER TABLE %s DISABLE TRIGGER USER', each);
    END LOOP;
    EXECUTE format('TRUNCATE %s RESTART IDENTITY', every);
    FOREACH each IN ARRAY tables LOOP
        EXECUTE format('ALTER TABLE %s ENABLE TRIGGER USER', each);
    END LOOP;
    INSERT INTO account SELECT * FROM unnest(outside);
    INSERT INTO access_token SELECT * FROM unnest(tokens);
END $$;

-- A function that runs as its owner must find the owner's tables, and no temporary ones of the caller.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION mark_sandbox() SET search_path = pg_catalog, %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION empty_sandbox() SET search_path = pg_catalog, %I, pg_temp', current_schema());
END $$;
REVOKE EXECUTE ON FUNCTION mark_sandbox(), empty_sandbox() FROM PUBLIC;
