-- The worker takes what is due of one partner in this order, however much is due of others.
CREATE INDEX settlement_due_of_partner ON settlement (partner_id, due_at, created_at, id) WHERE due_at IS NOT NULL;
