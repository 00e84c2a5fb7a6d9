-- Acts of operators that others must approve, the hands behind a token, and the cool-off of new keys. Protocol §12.

-- The operator who made the token through the API. Null: the command line, or the token in the settings for an operator.
ALTER TABLE access_token
    ADD COLUMN made_by uuid,
    ADD CONSTRAINT access_token_made_by_fkey FOREIGN KEY (made_by) REFERENCES operator (id);

-- The operators who made the tokens with which the client raised, changed and closed the dispute: none of them reviews.
ALTER TABLE dispute ADD COLUMN client_hands uuid[] NOT NULL DEFAULT '{}';
-- The operator who made the token of the operator that closed, and what the client claimed then.
ALTER TABLE dispute_closure
    ADD COLUMN token_made_by uuid,
    ADD COLUMN claimed_transfers jsonb,
    ADD CONSTRAINT dispute_closure_token_made_by_fkey FOREIGN KEY (token_made_by) REFERENCES operator (id),
    ADD CONSTRAINT dispute_closure_other_hands CHECK
        (closed_by = 'client' OR reviewed_by IS NULL OR token_made_by IS NULL OR reviewed_by <> token_made_by::text);

CREATE FUNCTION check_closure_hands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM dispute WHERE id = NEW.dispute_id AND NEW.reviewed_by = ANY(client_hands::text[])) THEN
        RAISE EXCEPTION 'whoever acted as the client does not review'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'dispute_closure_client_hands';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER dispute_closure_client_hands BEFORE UPDATE OF reviewed_by ON dispute_closure
    FOR EACH ROW WHEN (NEW.reviewed_by IS NOT NULL) EXECUTE FUNCTION check_closure_hands();

-- From when a key verifies signatures. Keys that were there before do so since they were added.
ALTER TABLE go_account_key ADD COLUMN verifies_from timestamptz;
UPDATE go_account_key SET verifies_from = created_at;
ALTER TABLE go_account_key
    ALTER COLUMN verifies_from SET NOT NULL,
    ADD CONSTRAINT go_account_key_verifies_after_it_is_added CHECK (verifies_from >= created_at);

-- What one operator asks for and others must approve. `key` tells acts of one kind on one subject apart, such as the
-- reference of a withdrawal. `target` is the state that the proposer saw. `sealed_value` is a token, until it is collected.
CREATE TABLE proposal (
    id                uuid        NOT NULL,
    act               text        NOT NULL,
    subject_id        text        NOT NULL,
    key               text        NOT NULL,
    enterprise_id     text,
    request           jsonb       NOT NULL,
    target            jsonb       NOT NULL,
    summary           text        NOT NULL,
    proposed_by       uuid        NOT NULL,
    token_made_by     uuid,
    approvals_needed  integer     NOT NULL,
    status            text        NOT NULL,
    created_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    due_at            timestamptz,
    ended_at          timestamptz,
    ended_by          uuid,
    reason            text,
    result            jsonb,
    sealed_value      bytea,
    collected_at      timestamptz,
    CONSTRAINT proposal_pkey PRIMARY KEY (id),
    CONSTRAINT proposal_proposed_by_key UNIQUE (id, proposed_by),
    CONSTRAINT proposal_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id),
    CONSTRAINT proposal_operator_fkey FOREIGN KEY (proposed_by) REFERENCES operator (id),
    CONSTRAINT proposal_token_made_by_fkey FOREIGN KEY (token_made_by) REFERENCES operator (id),
    CONSTRAINT proposal_ended_by_fkey FOREIGN KEY (ended_by) REFERENCES operator (id),
    CONSTRAINT proposal_status_known CHECK
        (status IN ('pending', 'carried_out', 'rejected', 'withdrawn', 'expired')),
    CONSTRAINT proposal_needs_approval CHECK (approvals_needed BETWEEN 1 AND 10),
    CONSTRAINT proposal_expires_later CHECK (expires_at > created_at),
    CONSTRAINT proposal_pending_is_due CHECK ((status = 'pending') = (due_at IS NOT NULL)),
    CONSTRAINT proposal_ended_as_a_whole CHECK ((status = 'pending') = (ended_at IS NULL)),
    CONSTRAINT proposal_ended_by_someone CHECK ((status IN ('pending', 'expired')) = (ended_by IS NULL)),
    CONSTRAINT proposal_result_if_carried_out CHECK ((status = 'carried_out') = (result IS NOT NULL)),
    CONSTRAINT proposal_value_if_carried_out CHECK (sealed_value IS NULL OR status = 'carried_out'),
    CONSTRAINT proposal_value_collected_once CHECK (collected_at IS NULL OR sealed_value IS NULL),
    CONSTRAINT proposal_not_rejected_by_its_proposer CHECK
        (status NOT IN ('carried_out', 'rejected') OR ended_by <> proposed_by),
    CONSTRAINT proposal_withdrawn_by_its_proposer CHECK (status <> 'withdrawn' OR ended_by = proposed_by)
);
CREATE UNIQUE INDEX proposal_pending_once ON proposal (act, subject_id, key) WHERE status = 'pending';
CREATE INDEX proposal_due ON proposal (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX proposal_listed ON proposal (created_at, id);
CREATE TRIGGER proposal_kept BEFORE DELETE OR TRUNCATE
    OR UPDATE OF id, act, subject_id, key, enterprise_id, request, target, summary, proposed_by, token_made_by,
                 approvals_needed, created_at, expires_at ON proposal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

-- Its rows waited for a second request for at most a week. They are proposals now, and are proposed again.
DROP TABLE operator_proposal;

-- Who has approved. `proposed_by` repeats the proposer, so that the database itself tells the two apart.
CREATE TABLE proposal_approval (
    proposal_id    uuid        NOT NULL,
    operator_id    uuid        NOT NULL,
    proposed_by    uuid        NOT NULL,
    token_made_by  uuid,
    approved_at    timestamptz NOT NULL,
    CONSTRAINT proposal_approval_pkey PRIMARY KEY (proposal_id, operator_id),
    CONSTRAINT proposal_approval_proposal_fkey FOREIGN KEY (proposal_id, proposed_by)
        REFERENCES proposal (id, proposed_by),
    CONSTRAINT proposal_approval_operator_fkey FOREIGN KEY (operator_id) REFERENCES operator (id),
    CONSTRAINT proposal_approval_token_made_by_fkey FOREIGN KEY (token_made_by) REFERENCES operator (id),
    CONSTRAINT proposal_approval_four_eyes CHECK
        (operator_id <> proposed_by AND (token_made_by IS NULL OR token_made_by <> proposed_by))
);
CREATE TRIGGER proposal_approval_kept BEFORE DELETE OR TRUNCATE OR UPDATE ON proposal_approval
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

-- Whether an operator's approval counts now: not that of an operator who was removed, or has another role.
CREATE FUNCTION may_approve(wanted uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT role IN ('approver', 'administrator') AND to_jsonb(operator) ->> 'removed_at' IS NULL
                     FROM operator WHERE id = wanted), false)
$$;

CREATE FUNCTION check_proposal_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'pending' THEN
        RAISE EXCEPTION 'a proposal cannot go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_transition_allowed';
    END IF;
    IF NEW.status = 'carried_out' AND NEW.approvals_needed > (
        SELECT count(*) FROM proposal_approval WHERE proposal_id = NEW.id AND may_approve(operator_id)
    ) THEN
        RAISE EXCEPTION 'a proposal needs its approvals before it is carried out'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_approved_before_carried_out';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER proposal_transition BEFORE UPDATE OF status ON proposal
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION check_proposal_transition();

CREATE FUNCTION check_proposal_value() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the value of a proposal is collected once'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposal_value_kept';
END $$;
CREATE TRIGGER proposal_value BEFORE UPDATE OF collected_at ON proposal
    FOR EACH ROW WHEN (OLD.collected_at IS NOT NULL AND OLD.collected_at IS DISTINCT FROM NEW.collected_at)
    EXECUTE FUNCTION check_proposal_value();

ALTER TABLE ledger_entry
    DROP CONSTRAINT ledger_entry_kind_known,
    ADD CONSTRAINT ledger_entry_kind_known CHECK (kind IN (
        'deposit', 'withdrawal', 'withdrawal_reserved', 'withdrawal_released',
        'allocation_reserved', 'allocation_cleared', 'allocation_released',
        'deallocation_reserved', 'deallocation_cleared', 'deallocation_released',
        'settlement_held', 'settlement_executed', 'settlement_rejected',
        'dispute_closure_held', 'dispute_closure_cancelled',
        'onchain_loss_paid', 'onchain_gain_paid', 'onchain_deposit_credited', 'onchain_deposit_released'));
ALTER TABLE hold
    DROP CONSTRAINT hold_cause_known,
    ADD CONSTRAINT hold_cause_known CHECK
        (cause_kind IN ('allocation', 'deallocation', 'settlement', 'dispute', 'onchain_deposit', 'withdrawal'));
