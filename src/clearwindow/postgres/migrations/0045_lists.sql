-- Lists begin at their newest row or after a position, and read no row before it. Each index has the order of a list. Of
-- these tables, signed_request grows most: a row for each signed request. To build an index keeps writers waiting for
-- about a second for each million rows.
CREATE INDEX settlement_created ON settlement (created_at, id);
CREATE INDEX settlement_open_created ON settlement (created_at, id) WHERE state NOT IN ('completed', 'rejected');
DROP INDEX settlement_due;
CREATE INDEX settlement_due ON settlement (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX dispute_created ON dispute (created_at, id);
CREATE INDEX dispute_closure_created ON dispute_closure (created_at, id);
CREATE INDEX partner_call_created ON partner_call (created_at, id);
CREATE INDEX onchain_deposit_created ON onchain_deposit (created_at, id);
DROP INDEX pause_listed;
CREATE INDEX pause_listed ON pause (paused_at, id);

CREATE INDEX signed_request_received ON signed_request (received_at, number);
CREATE INDEX signed_request_enterprise_received ON signed_request (enterprise_id, received_at, number);
DROP INDEX signed_request_enterprise;

-- Members' lists of allocations are sorted by the last change if they are not asked for another order.
CREATE INDEX allocation_client_updated ON allocation (client_id, updated_at, created_at, id);
CREATE INDEX allocation_partner_updated ON allocation (partner_id, updated_at, created_at, id);
