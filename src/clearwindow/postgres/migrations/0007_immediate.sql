-- Settlements of version 1 of the wire: executed in the transaction that creates them, or failed. Protocol §5.

-- What executes at once is never due: it is tried again only when somebody asks for it, not by the worker.
ALTER TABLE settlement
    ADD COLUMN immediate boolean NOT NULL DEFAULT false,
    ALTER COLUMN cutoff_at DROP NOT NULL,
    ADD CONSTRAINT settlement_immediate_never_waits CHECK
        (NOT immediate OR (due_at IS NULL AND state IN ('failed', 'completed', 'rejected'))),
    ADD CONSTRAINT settlement_staged_has_cutoff CHECK
        (immediate OR settlement_type = 'onchain' OR cutoff_at IS NOT NULL);
