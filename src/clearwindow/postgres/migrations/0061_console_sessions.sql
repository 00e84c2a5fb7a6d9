-- Sessions of the web console. Protocol §2.

-- A session acts with the token that signed in, and is good for as long as the token is. Its value is in its user's
-- browser alone, and only the hash is stored. The token of the settings is not stored anywhere: its sessions have the
-- value's HMAC under that token's hash, so that another token in the settings ends them. Times are real ones.
CREATE TABLE console_session (
    id             uuid        NOT NULL,
    value_sha256   bytea       NOT NULL,
    token_id       uuid,
    settings_proof bytea,
    waits_for_code boolean     NOT NULL,
    created_at     timestamptz NOT NULL,
    seen_at        timestamptz NOT NULL,
    CONSTRAINT console_session_pkey PRIMARY KEY (id),
    CONSTRAINT console_session_value_sha256_key UNIQUE (value_sha256),
    CONSTRAINT console_session_token_fkey FOREIGN KEY (token_id) REFERENCES access_token (id),
    CONSTRAINT console_session_hashes CHECK
        (octet_length(value_sha256) = 32 AND (settings_proof IS NULL OR octet_length(settings_proof) = 32)),
    CONSTRAINT console_session_has_one_token CHECK ((token_id IS NULL) = (settings_proof IS NOT NULL))
);

-- Those that are over are removed when somebody signs in.
CREATE INDEX console_session_seen_at_idx ON console_session (seen_at);

-- A link that signs in once, in another browser. Whoever uses it removes it. `begins_at`: when the session that it
-- makes counts as begun, so that a session does not outlast its longest time by links.
CREATE TABLE console_link (
    id             uuid        NOT NULL,
    value_sha256   bytea       NOT NULL,
    token_id       uuid,
    settings_proof bytea,
    begins_at      timestamptz NOT NULL,
    ends_at        timestamptz NOT NULL,
    CONSTRAINT console_link_pkey PRIMARY KEY (id),
    CONSTRAINT console_link_value_sha256_key UNIQUE (value_sha256),
    CONSTRAINT console_link_token_fkey FOREIGN KEY (token_id) REFERENCES access_token (id),
    CONSTRAINT console_link_hashes CHECK
        (octet_length(value_sha256) = 32 AND (settings_proof IS NULL OR octet_length(settings_proof) = 32)),
    CONSTRAINT console_link_has_one_token CHECK ((token_id IS NULL) = (settings_proof IS NOT NULL))
);
CREATE INDEX console_link_ends_at_idx ON console_link (ends_at);
