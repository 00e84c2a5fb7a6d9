-- What the field's JavaScript SDK needs beside the network: tokens that sign their calls, and keys that the custodian holds.

ALTER TABLE access_token
    ADD COLUMN kind text NOT NULL DEFAULT 'bearer',
    ADD COLUMN sealed_secret bytea,
    ADD CONSTRAINT access_token_kind_known CHECK (kind IN ('bearer', 'v2x')),
    ADD CONSTRAINT access_token_v2x_of_member CHECK (kind = 'bearer' OR enterprise_id IS NOT NULL),
    -- A secret that no call can be made with any more is not kept.
    ADD CONSTRAINT access_token_secret_while_in_force CHECK
        ((sealed_secret IS NOT NULL) = (kind = 'v2x' AND revoked_at IS NULL));

ALTER TABLE go_account_key
    ADD COLUMN custodian boolean NOT NULL DEFAULT false,
    ADD COLUMN sealed_prv bytea,
    ADD CONSTRAINT go_account_key_custodian_alone CHECK (NOT custodian OR encrypted_prv IS NULL),
    ADD CONSTRAINT go_account_key_sealed_while_in_force CHECK
        ((sealed_prv IS NOT NULL) = (custodian AND revoked_at IS NULL));
CREATE UNIQUE INDEX go_account_key_custodian_once ON go_account_key (account_id)
    WHERE custodian AND revoked_at IS NULL;
