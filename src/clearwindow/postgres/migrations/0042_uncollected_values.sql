-- A token that its proposer does not collect in time is destroyed and revoked. So a proposal is due as long as it has one.
-- Protocol §12.
ALTER TABLE proposal DROP CONSTRAINT proposal_pending_is_due;
UPDATE proposal SET due_at = now() + interval '1 day' WHERE sealed_value IS NOT NULL;
ALTER TABLE proposal ADD CONSTRAINT proposal_open_is_due CHECK
    ((status = 'pending' OR sealed_value IS NOT NULL) = (due_at IS NOT NULL));
