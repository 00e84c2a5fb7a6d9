-- A program's token for deposits alone deposits without a further proposal, if others approved the token. Protocol §12.

-- `deposits_proposal_id`: the proposal by which others let it deposit alone. NULL: the token was made without one, so that
-- its deposits are proposed as all others are.
ALTER TABLE access_token
    ADD COLUMN deposits_only boolean NOT NULL DEFAULT false,
    ADD COLUMN deposits_proposal_id uuid,
    ADD CONSTRAINT access_token_deposits_of_a_program
        CHECK (NOT deposits_only OR (program AND operator_id IS NOT NULL AND role IS NOT DISTINCT FROM 'operator')),
    ADD CONSTRAINT access_token_proposed_for_deposits CHECK (deposits_only OR deposits_proposal_id IS NULL),
    ADD CONSTRAINT access_token_deposits_proposal_key UNIQUE (deposits_proposal_id),
    ADD CONSTRAINT access_token_deposits_proposal_fkey FOREIGN KEY (deposits_proposal_id) REFERENCES proposal (id);

CREATE FUNCTION check_deposits_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM proposal
        WHERE proposal.id = NEW.deposits_proposal_id AND proposal.act = 'operator_token.create'
          AND proposal.status = 'pending' AND proposal.subject_id = NEW.operator_id::text
          AND proposal.request ->> 'depositsOnly' = 'true'
          AND proposal.approvals_needed <= (SELECT count(*) FROM proposal_approval
                                            WHERE proposal_id = proposal.id AND may_approve(operator_id))
    ) THEN
        RAISE EXCEPTION 'a token deposits without a further proposal only if others approved that it does'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'access_token_approved_for_deposits';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER access_token_approved_for_deposits BEFORE INSERT OR UPDATE OF deposits_proposal_id ON access_token
    FOR EACH ROW WHEN (NEW.deposits_proposal_id IS NOT NULL) EXECUTE FUNCTION check_deposits_proposal();
