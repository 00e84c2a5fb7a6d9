-- The oldest attempts of all endpoints together, which are pruned.
CREATE INDEX webhook_attempt_age ON webhook_attempt (started_at);
