-- The request that stored a deposit, so that its byte-identical repeat only reads. Protocol §2. NULL in older rows.
ALTER TABLE onchain_deposit ADD COLUMN request_sha256 bytea;
CREATE INDEX onchain_deposit_request ON onchain_deposit (partner_id, request_sha256) WHERE request_sha256 IS NOT NULL;
