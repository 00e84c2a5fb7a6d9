-- What a signed text is for. Protocol §11.

-- Every text that was accepted, for each public key, whichever enterprises have that key: it serves one operation and one
-- record, for ever. Never archived, like the nonces.
CREATE TABLE used_text (
    public_key      bytea NOT NULL,
    payload_sha256  bytea NOT NULL,
    operation       text  NOT NULL,
    subject_id      uuid  NOT NULL,
    CONSTRAINT used_text_pkey PRIMARY KEY (public_key, payload_sha256),
    CONSTRAINT used_text_use_key UNIQUE (public_key, payload_sha256, operation, subject_id),
    CONSTRAINT used_text_key_compressed CHECK (octet_length(public_key) = 33),
    CONSTRAINT used_text_digest CHECK (octet_length(payload_sha256) = 32)
);
CREATE TRIGGER used_text_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON used_text
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- New evidence is of the one use of its text. Not checked for older rows: a text may have served twice before this
-- rule. The lock that this takes lets nobody write evidence until the texts of all older rows are known below, so that
-- none is missed: requests wait, for about a minute per ten million rows.
ALTER TABLE signed_request
    ADD CONSTRAINT signed_request_text_fkey FOREIGN KEY (public_key, payload_sha256, operation, subject_id)
        REFERENCES used_text (public_key, payload_sha256, operation, subject_id) NOT VALID,
    DROP CONSTRAINT signed_request_operation_known,
    ADD CONSTRAINT signed_request_operation_known CHECK (operation IN (
        'settlement.stage', 'settlement.immediate', 'settlement.onchain', 'settlement.deposits',
        'allocation', 'deallocation', 'allocation.decide', 'deallocation.decide', 'connection.create',
        'dispute.raise', 'dispute.update', 'dispute.close', 'account.require_intent')) NOT VALID;

-- The first use of each text. What cannot be filled in: requests accepted before evidence was kept (`before_evidence`)
-- left neither the key that signed nor a digest of the text. Their nonces keep them from being used again by the same
-- enterprise, and nothing keeps them from another enterprise that has the same key.
INSERT INTO used_text (public_key, payload_sha256, operation, subject_id)
SELECT DISTINCT ON (public_key, payload_sha256) public_key, payload_sha256, operation, subject_id
FROM signed_request ORDER BY public_key, payload_sha256, number;

-- Off unless its owner or the operator wants it, so that clients of the wire contract work as they are.
ALTER TABLE go_account ADD COLUMN require_intent boolean NOT NULL DEFAULT false;
