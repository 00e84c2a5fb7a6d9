-- What waits for people is counted at every scrape, and is little beside what has ended.
CREATE INDEX dispute_open ON dispute (id) WHERE NOT retracted AND settled_in_settlement_id IS NULL;
CREATE INDEX dispute_closure_pending ON dispute_closure (id) WHERE status = 'pending_review';
CREATE INDEX proposal_pending ON proposal (id) WHERE status = 'pending';
