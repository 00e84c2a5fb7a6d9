-- The evidence of every accepted signed request: what was signed, by which key, and which keys could have signed it then.
-- Protocol §3. Records that are there when this migration runs were made without it, and say so: `before_evidence` is
-- true, and `kept_texts` of their nonces is 0. Both have constant defaults, so that no large table is written anew.

-- The active keys of a Go Account at some moment, 33 bytes each, in ascending order. Each distinct set is stored once.
CREATE TABLE key_set (
    sha256       bytea NOT NULL,
    public_keys  bytea NOT NULL,
    CONSTRAINT key_set_pkey PRIMARY KEY (sha256),
    CONSTRAINT key_set_digest CHECK (sha256 = sha256(public_keys)),
    CONSTRAINT key_set_whole_keys CHECK (octet_length(public_keys) > 0 AND octet_length(public_keys) % 33 = 0)
);
CREATE TRIGGER key_set_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON key_set
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- `request_sha256` is the digest that the records of the request have too; `subject_id` is the record that the request
-- made or repeated. The payload of a new connection holds its key, so that it is stored encrypted, in `sealed_payload`.
CREATE TABLE signed_request (
    number            bigint      GENERATED ALWAYS AS IDENTITY,
    id                uuid        NOT NULL,
    enterprise_id     text        NOT NULL,
    account_id        uuid        NOT NULL,
    operation         text        NOT NULL,
    subject_id        uuid        NOT NULL,
    path_ids          jsonb       NOT NULL,
    nonce             text,
    payload           text,
    payload_bytes     integer     NOT NULL,
    payload_sha256    bytea       NOT NULL,
    signature         text        NOT NULL,
    signature_sha256  bytea       NOT NULL,
    public_key        bytea       NOT NULL,
    key_set_sha256    bytea       NOT NULL,
    request_sha256    bytea       NOT NULL,
    received_at       timestamptz NOT NULL,
    CONSTRAINT signed_request_pkey PRIMARY KEY (number),
    CONSTRAINT signed_request_id_key UNIQUE (id),
    CONSTRAINT signed_request_once UNIQUE (subject_id, request_sha256),
    CONSTRAINT signed_request_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id),
    CONSTRAINT signed_request_account_fkey FOREIGN KEY (account_id) REFERENCES go_account (account_id),
    CONSTRAINT signed_request_key_set_fkey FOREIGN KEY (key_set_sha256) REFERENCES key_set (sha256),
    CONSTRAINT signed_request_operation_known CHECK (operation IN (
        'settlement.stage', 'settlement.immediate', 'settlement.onchain', 'settlement.deposits',
        'allocation', 'deallocation', 'allocation.decide', 'deallocation.decide', 'connection.create',
        'dispute.raise', 'dispute.update', 'dispute.close')),
    CONSTRAINT signed_request_payload_sealed CHECK ((payload IS NULL) = (operation = 'connection.create')),
    CONSTRAINT signed_request_payload_size CHECK
        (operation IN ('settlement.stage', 'settlement.immediate', 'settlement.onchain', 'settlement.deposits')
            OR payload_bytes <= 65536),
    CONSTRAINT signed_request_payload_counted CHECK (octet_length(payload) = payload_bytes),
    CONSTRAINT signed_request_path_ids_object CHECK (jsonb_typeof(path_ids) = 'object'),
    CONSTRAINT signed_request_key_compressed CHECK (octet_length(public_key) = 33),
    CONSTRAINT signed_request_digests CHECK (octet_length(payload_sha256) = 32
        AND octet_length(signature_sha256) = 32 AND octet_length(request_sha256) = 32)
);
-- Not compressed: a payload is written once and read rarely, and compressing 2.5 MB takes ten times as long as writing.
ALTER TABLE signed_request ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX signed_request_enterprise ON signed_request (enterprise_id, number);
CREATE TRIGGER signed_request_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON signed_request
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The ciphertext alone may change: it is encrypted anew if the deployment's secret key changes.
CREATE TABLE sealed_payload (
    id          uuid   NOT NULL,
    ciphertext  bytea  NOT NULL,
    CONSTRAINT sealed_payload_pkey PRIMARY KEY (id),
    CONSTRAINT sealed_payload_request_fkey FOREIGN KEY (id) REFERENCES signed_request (id)
);
CREATE TRIGGER sealed_payload_kept BEFORE DELETE OR TRUNCATE OR UPDATE OF id ON sealed_payload
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

-- How many texts are kept of the nonce's request: one more each time that the same request comes signed anew.
ALTER TABLE nonce ADD COLUMN kept_texts integer NOT NULL DEFAULT 0;
ALTER TABLE nonce ALTER COLUMN kept_texts DROP DEFAULT;

CREATE FUNCTION refuse_before_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a new row of % has its evidence', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_has_evidence';
END $$;

ALTER TABLE settlement ADD COLUMN before_evidence boolean NOT NULL DEFAULT true;
ALTER TABLE settlement ALTER COLUMN before_evidence SET DEFAULT false;
CREATE TRIGGER settlement_has_evidence BEFORE INSERT OR UPDATE OF before_evidence ON settlement
    FOR EACH ROW WHEN (NEW.before_evidence) EXECUTE FUNCTION refuse_before_evidence();

ALTER TABLE dispute ADD COLUMN before_evidence boolean NOT NULL DEFAULT true;
ALTER TABLE dispute ALTER COLUMN before_evidence SET DEFAULT false;
CREATE TRIGGER dispute_has_evidence BEFORE INSERT OR UPDATE OF before_evidence ON dispute
    FOR EACH ROW WHEN (NEW.before_evidence) EXECUTE FUNCTION refuse_before_evidence();

-- An older closure of a client has its payload and signature in its own columns; for a newer one they are the evidence's.
ALTER TABLE dispute_closure ADD COLUMN before_evidence boolean NOT NULL DEFAULT true;
ALTER TABLE dispute_closure ALTER COLUMN before_evidence SET DEFAULT false;
CREATE TRIGGER dispute_closure_has_evidence BEFORE INSERT OR UPDATE OF before_evidence ON dispute_closure
    FOR EACH ROW WHEN (NEW.before_evidence) EXECUTE FUNCTION refuse_before_evidence();

ALTER TABLE allocation ADD COLUMN before_evidence boolean NOT NULL DEFAULT true;
ALTER TABLE allocation ALTER COLUMN before_evidence SET DEFAULT false;
CREATE TRIGGER allocation_has_evidence BEFORE INSERT OR UPDATE OF before_evidence ON allocation
    FOR EACH ROW WHEN (NEW.before_evidence) EXECUTE FUNCTION refuse_before_evidence();

ALTER TABLE connection ADD COLUMN before_evidence boolean NOT NULL DEFAULT true;
ALTER TABLE connection ALTER COLUMN before_evidence SET DEFAULT false;
CREATE TRIGGER connection_has_evidence BEFORE INSERT OR UPDATE OF before_evidence ON connection
    FOR EACH ROW WHEN (NEW.before_evidence) EXECUTE FUNCTION refuse_before_evidence();

ALTER TABLE onchain_deposit ADD COLUMN before_evidence boolean NOT NULL DEFAULT true;
ALTER TABLE onchain_deposit ALTER COLUMN before_evidence SET DEFAULT false;
CREATE TRIGGER onchain_deposit_has_evidence BEFORE INSERT OR UPDATE OF before_evidence ON onchain_deposit
    FOR EACH ROW WHEN (NEW.before_evidence) EXECUTE FUNCTION refuse_before_evidence();
