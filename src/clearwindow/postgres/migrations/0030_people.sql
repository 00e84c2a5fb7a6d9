-- Members and operators can be removed. Their rows stay: the history names them. Protocol §2.
ALTER TABLE membership ADD COLUMN removed_at timestamptz;
ALTER TABLE operator ADD COLUMN removed_at timestamptz;

-- The lists of operators, newest first: each page is read from where it begins, with and without a filter by owner.
CREATE INDEX enterprise_created ON enterprise (created_at, id);
CREATE INDEX network_user_created ON network_user (created_at, id);
CREATE INDEX membership_created ON membership (created_at, enterprise_id, user_id);
CREATE INDEX membership_user ON membership (user_id);
CREATE INDEX operator_created ON operator (created_at, id);
CREATE INDEX access_token_created ON access_token (created_at, id);
CREATE INDEX access_token_member ON access_token (enterprise_id, user_id, created_at, id);
CREATE INDEX access_token_operator ON access_token (operator_id, created_at, id) WHERE operator_id IS NOT NULL;
CREATE INDEX go_account_created ON go_account (created_at, account_id);
CREATE INDEX go_account_key_created ON go_account_key (created_at, id);
CREATE INDEX partner_created ON partner (created_at, id);
CREATE INDEX client_created ON client (created_at, id);
CREATE INDEX connection_created ON connection (created_at, id);
CREATE INDEX allocation_created ON allocation (created_at, id);
CREATE INDEX webhook_endpoint_created ON webhook_endpoint (created_at, id) WHERE deleted_at IS NULL;

-- The audit trail by each of its filters, and by time.
CREATE INDEX audit_record_at ON audit_record (at);
CREATE INDEX audit_record_actor ON audit_record (actor_id, sequence);
CREATE INDEX audit_record_enterprise ON audit_record (enterprise_id, sequence) WHERE enterprise_id IS NOT NULL;
CREATE INDEX audit_record_action ON audit_record (action, sequence);

-- Events by type.
CREATE INDEX event_type ON event (type, sequence);
