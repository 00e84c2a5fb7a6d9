-- What a partner's clients encrypt their connection keys to: its RSA public key, in PEM. Protocol §3.
ALTER TABLE partner_configuration ADD COLUMN IF NOT EXISTS public_key text;

-- Above which quantity an allocation of an enterprise needs a second user's approval, where the partner has allocation
-- policies; without a row, none does. Protocol §4.
CREATE TABLE approval_threshold (
    enterprise_id  text        NOT NULL,
    currency       text        NOT NULL,
    quantity       base_units  NOT NULL,
    updated_by     text        NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT approval_threshold_pkey PRIMARY KEY (enterprise_id, currency),
    CONSTRAINT approval_threshold_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id),
    CONSTRAINT approval_threshold_currency_fkey FOREIGN KEY (currency) REFERENCES currency (name),
    CONSTRAINT approval_threshold_not_negative CHECK (quantity >= 0)
);

-- What waits for another user of the enterprise: an allocation above the threshold, or a higher threshold, NULL for none.
-- `partner_id` is nil where it is about no partner. `threshold` is the one that stood when it was asked for.
CREATE TABLE approval (
    id             uuid        NOT NULL,
    enterprise_id  text        NOT NULL,
    partner_id     uuid        NOT NULL,
    kind           text        NOT NULL,
    allocation_id  uuid,
    currency       text        NOT NULL,
    quantity       base_units,
    threshold      base_units  NOT NULL,
    status         text        NOT NULL,
    initiated_by   text        NOT NULL,
    decided_by     text,
    decided_at     timestamptz,
    notes          text,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT approval_pkey PRIMARY KEY (id),
    CONSTRAINT approval_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id),
    CONSTRAINT approval_allocation_fkey FOREIGN KEY (allocation_id) REFERENCES allocation (id),
    CONSTRAINT approval_allocation_key UNIQUE (allocation_id),
    CONSTRAINT approval_currency_fkey FOREIGN KEY (currency) REFERENCES currency (name),
    CONSTRAINT approval_kind_known CHECK (kind IN ('allocation', 'threshold')),
    CONSTRAINT approval_status_known CHECK (status IN ('pending', 'approved', 'rejected')),
    CONSTRAINT approval_of_an_allocation CHECK
        ((kind = 'allocation') = (allocation_id IS NOT NULL) AND (kind <> 'allocation' OR quantity IS NOT NULL)),
    CONSTRAINT approval_above_the_threshold CHECK (quantity > threshold),
    CONSTRAINT approval_decided_as_a_whole CHECK
        ((status = 'pending') = (decided_by IS NULL) AND (status = 'pending') = (decided_at IS NULL)),
    CONSTRAINT approval_four_eyes CHECK (status <> 'approved' OR decided_by <> initiated_by)
);
CREATE TRIGGER approval_kept BEFORE DELETE OR TRUNCATE OR UPDATE OF id ON approval
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE INDEX approval_enterprise ON approval (enterprise_id, created_at, id);
CREATE UNIQUE INDEX approval_one_open_change ON approval (enterprise_id, currency)
    WHERE kind = 'threshold' AND status = 'pending';

CREATE FUNCTION check_approval_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an approval cannot go from % to %', OLD.status, NEW.status
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approval_transition_allowed';
END $$;
CREATE TRIGGER approval_transition BEFORE UPDATE OF status ON approval
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND OLD.status <> 'pending')
    EXECUTE FUNCTION check_approval_transition();

-- The policy's part in an allocation: each evaluation has an id; what waits for approval is reserved and stays so, whoever
-- else would finish it, until there is a result.
ALTER TABLE allocation
    ADD COLUMN evaluation_id uuid,
    ADD COLUMN pending_approval_id uuid,
    ADD COLUMN policy_result text,
    ADD CONSTRAINT allocation_approval_fkey FOREIGN KEY (pending_approval_id) REFERENCES approval (id)
        DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT allocation_policy_result_known CHECK (policy_result IN ('approved', 'rejected')),
    ADD CONSTRAINT allocation_policy_whole CHECK
        ((evaluation_id IS NULL) = (pending_approval_id IS NULL AND policy_result IS NULL)),
    ADD CONSTRAINT allocation_policy_for_allocations CHECK (evaluation_id IS NULL OR type = 'allocation'),
    ADD CONSTRAINT allocation_waits_for_its_approval CHECK
        (pending_approval_id IS NULL OR policy_result IS NOT NULL OR (status = 'reserved' AND NOT retriable)),
    ADD CONSTRAINT allocation_rejected_is_released CHECK
        (policy_result <> 'rejected' OR (status = 'released' AND pending_approval_id IS NOT NULL));

CREATE FUNCTION check_policy_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the evaluation of an allocation and its result never change'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'allocation_policy_kept';
END $$;
CREATE TRIGGER allocation_policy_kept BEFORE UPDATE OF evaluation_id, pending_approval_id, policy_result ON allocation
    FOR EACH ROW WHEN ((OLD.evaluation_id, OLD.pending_approval_id) IS DISTINCT FROM (NEW.evaluation_id, NEW.pending_approval_id)
                       OR (OLD.policy_result IS NOT NULL AND OLD.policy_result IS DISTINCT FROM NEW.policy_result))
    EXECUTE FUNCTION check_policy_kept();
