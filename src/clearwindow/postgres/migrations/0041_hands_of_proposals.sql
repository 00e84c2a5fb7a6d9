-- Whoever can act as a client decides about nothing that is proposed for that client, and proposals of operators who were
-- removed are not carried out. Protocol §12.

-- The operators who made tokens of the enterprise's users that were in force then, or are now.
CREATE FUNCTION makers_of_tokens(wanted text, since timestamptz) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    SELECT DISTINCT made_by FROM access_token
    WHERE enterprise_id = wanted AND made_by IS NOT NULL
      AND (revoked_at IS NULL OR revoked_at >= since) AND (expires_at IS NULL OR expires_at >= since)
$$;

-- Whether an operator is one now: not after a removal, and not the one of the settings' token once the network was opened.
CREATE FUNCTION is_in_office(wanted uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM operator WHERE id = wanted AND removed_at IS NULL
                   AND (name <> 'bootstrap' OR NOT EXISTS (SELECT FROM opening)))
$$;

CREATE OR REPLACE FUNCTION may_approve(wanted uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT is_in_office(wanted)
       AND EXISTS (SELECT FROM operator WHERE id = wanted AND role IN ('approver', 'administrator'))
$$;

CREATE FUNCTION check_approval_hands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM proposal
        WHERE proposal.id = NEW.proposal_id AND proposal.enterprise_id IS NOT NULL
          AND EXISTS (SELECT FROM makers_of_tokens(proposal.enterprise_id, proposal.created_at) AS maker
                      WHERE maker IN (NEW.operator_id, NEW.token_made_by))
    ) THEN
        RAISE EXCEPTION 'whoever can act for an enterprise does not approve what is proposed for it'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_approval_client_hands';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER proposal_approval_client_hands BEFORE INSERT ON proposal_approval
    FOR EACH ROW EXECUTE FUNCTION check_approval_hands();

CREATE OR REPLACE FUNCTION check_proposal_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'pending' THEN
        RAISE EXCEPTION 'a proposal cannot go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_transition_allowed';
    END IF;
    IF NEW.status = 'carried_out' AND NOT is_in_office(NEW.proposed_by) THEN
        RAISE EXCEPTION 'a proposal of an operator who was removed is not carried out'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_of_an_operator_in_office';
    END IF;
    IF NEW.status = 'carried_out' AND NEW.approvals_needed > (
        SELECT count(*) FROM proposal_approval WHERE proposal_id = NEW.id AND may_approve(operator_id)
    ) THEN
        RAISE EXCEPTION 'a proposal needs its approvals before it is carried out'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_approved_before_carried_out';
    END IF;
    RETURN NEW;
END $$;
