-- What a person may do. Who was there before roles keeps every right. Protocol §2.
ALTER TABLE operator
    ADD COLUMN role text NOT NULL DEFAULT 'administrator',
    ADD CONSTRAINT operator_role_known CHECK (role IN ('viewer', 'operator', 'approver', 'administrator'));

ALTER TABLE membership
    ADD COLUMN role text NOT NULL DEFAULT 'administrator',
    ADD COLUMN may_use_custodian_key boolean NOT NULL DEFAULT true,
    ADD CONSTRAINT membership_role_known
        CHECK (role IN ('viewer', 'trader', 'settler', 'approver', 'administrator'));

-- A role of the token's own, which only narrows that of its holder. Null: the holder's.
ALTER TABLE access_token
    ADD COLUMN role text,
    ADD CONSTRAINT access_token_role_known CHECK (
        role IS NULL
        OR (operator_id IS NOT NULL AND role IN ('viewer', 'operator', 'approver', 'administrator'))
        OR (user_id IS NOT NULL AND role IN ('viewer', 'trader', 'settler', 'approver', 'administrator'))
    );
