-- What operators have paused: the network, a partner, a client, a currency or one Go Account. Protocol §5.
--
-- Whoever writes what a pause stops reads this table with FOR KEY SHARE, which takes a ROW SHARE lock on the table until
-- its transaction ends, before the statement sees anything. Pausing takes the EXCLUSIVE lock: it waits for the writers
-- that saw no pause, and those that come later see it. Decision 19.
CREATE TABLE pause (
    id               uuid        NOT NULL,
    kind             text        NOT NULL,
    partner_id       uuid,
    client_id        uuid,
    currency         text,
    go_account_id    uuid,
    reason           text        NOT NULL,
    paused_by        uuid        NOT NULL,
    paused_at        timestamptz NOT NULL,
    resume_asked_by  uuid,
    resume_asked_at  timestamptz,
    resume_reason    text,
    resumed_by       uuid,
    resumed_at       timestamptz,
    resumed_alone    boolean     NOT NULL DEFAULT false,
    CONSTRAINT pause_pkey PRIMARY KEY (id),
    CONSTRAINT pause_partner_fkey FOREIGN KEY (partner_id) REFERENCES partner (id),
    CONSTRAINT pause_client_fkey FOREIGN KEY (client_id) REFERENCES client (id),
    CONSTRAINT pause_currency_fkey FOREIGN KEY (currency) REFERENCES currency (name),
    CONSTRAINT pause_go_account_fkey FOREIGN KEY (go_account_id) REFERENCES go_account (account_id),
    CONSTRAINT pause_paused_by_fkey FOREIGN KEY (paused_by) REFERENCES operator (id),
    CONSTRAINT pause_resume_asked_by_fkey FOREIGN KEY (resume_asked_by) REFERENCES operator (id),
    CONSTRAINT pause_resumed_by_fkey FOREIGN KEY (resumed_by) REFERENCES operator (id),
    CONSTRAINT pause_kind_known CHECK (kind IN ('network', 'partner', 'client', 'currency', 'account')),
    CONSTRAINT pause_names_its_subject CHECK (
        (kind = 'partner') = (partner_id IS NOT NULL) AND (kind = 'client') = (client_id IS NOT NULL)
        AND (kind = 'currency') = (currency IS NOT NULL) AND (kind = 'account') = (go_account_id IS NOT NULL)
    ),
    CONSTRAINT pause_resume_asked_whole CHECK
        ((resume_asked_by IS NULL) = (resume_asked_at IS NULL)
         AND (resume_reason IS NULL OR resume_asked_by IS NOT NULL)),
    CONSTRAINT pause_resumed_whole CHECK ((resumed_by IS NULL) = (resumed_at IS NULL)),
    -- Where the network needs no second operator, the pause says so.
    CONSTRAINT pause_resume_four_eyes CHECK
        (resumed_at IS NULL OR resumed_alone
         OR (resume_asked_by IS NOT NULL AND resume_asked_by IS DISTINCT FROM resumed_by))
);
CREATE TRIGGER pause_kept BEFORE DELETE OR TRUNCATE OR UPDATE OF id, kind, partner_id, client_id, currency, go_account_id,
    reason, paused_by, paused_at ON pause
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE UNIQUE INDEX pause_one_standing
    ON pause (kind, coalesce(partner_id::text, client_id::text, go_account_id::text, currency, ''))
    WHERE resumed_at IS NULL;
CREATE INDEX pause_listed ON pause (paused_at DESC, id);

CREATE FUNCTION check_pause_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a pause that has ended never changes'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'pause_ends_once';
END $$;
CREATE TRIGGER pause_end BEFORE UPDATE ON pause
    FOR EACH ROW WHEN (OLD.resumed_at IS NOT NULL) EXECUTE FUNCTION check_pause_end();

-- The standing pauses that touch a settlement which has not ended: the whole settlement, because it executes as a whole.
CREATE VIEW paused_settlement AS
SELECT settlement.id AS settlement_id, pause.id AS pause_id, pause.paused_at
FROM pause
JOIN settlement ON settlement.state NOT IN ('completed', 'rejected') OR settlement.closures_wait
WHERE pause.resumed_at IS NULL
  AND CASE pause.kind
      WHEN 'network' THEN true
      WHEN 'partner' THEN pause.partner_id = settlement.partner_id
      WHEN 'currency' THEN EXISTS (
          SELECT FROM settlement_transfer AS transfer
          WHERE transfer.settlement_id = settlement.id AND transfer.currency = pause.currency)
      WHEN 'client' THEN EXISTS (
          SELECT FROM settlement_party AS party
          JOIN connection ON connection.id = party.connection_id
          WHERE party.settlement_id = settlement.id AND connection.client_id = pause.client_id)
      WHEN 'account' THEN EXISTS (
          SELECT FROM partner WHERE partner.id = settlement.partner_id AND partner.go_account_id = pause.go_account_id)
          OR EXISTS (
              SELECT FROM settlement_party AS party
              JOIN connection ON connection.id = party.connection_id
              JOIN client ON client.id = connection.client_id
              WHERE party.settlement_id = settlement.id AND client.go_account_id = pause.go_account_id)
      END;

-- Settlements whose next step waits for the end of a pause. Windows go on, and so do reports of payments that the chain
-- already has.
CREATE VIEW paused_step AS
SELECT paused.settlement_id
FROM paused_settlement AS paused
JOIN settlement ON settlement.id = paused.settlement_id
WHERE settlement.state <> 'dispute_window'
  AND NOT EXISTS (
      SELECT FROM onchain_transfer AS transfer
      WHERE transfer.settlement_id = settlement.id AND transfer.status = 'onchain_initiated');

-- The standing pauses that touch a reserved allocation or deallocation. A paused partner does not stop deallocations.
CREATE VIEW paused_allocation AS
SELECT allocation.id AS allocation_id, pause.id AS pause_id, pause.paused_at
FROM pause
JOIN allocation ON allocation.status = 'reserved'
WHERE pause.resumed_at IS NULL
  AND CASE pause.kind
      WHEN 'network' THEN true
      WHEN 'partner' THEN pause.partner_id = allocation.partner_id AND allocation.type = 'allocation'
      WHEN 'currency' THEN pause.currency = allocation.currency
      WHEN 'client' THEN pause.client_id = allocation.client_id
      WHEN 'account' THEN EXISTS (
          SELECT FROM client WHERE client.id = allocation.client_id AND client.go_account_id = pause.go_account_id)
      END;

-- The most that a client allows a partner to take from one connection and currency: by one settlement, and by all
-- settlements that are created on one UTC day. NULL: no limit. A higher limit waits in the columns `next_…`, and is in
-- force from `next_from`. Written and read under the partner's lock. Protocol §5.
CREATE TABLE loss_limit (
    partner_id           uuid        NOT NULL,
    connection_id        uuid        NOT NULL,
    currency             text        NOT NULL,
    per_settlement       base_units,
    per_day              base_units,
    next_per_settlement  base_units,
    next_per_day         base_units,
    next_from            timestamptz,
    updated_by           text        NOT NULL,
    updated_at           timestamptz NOT NULL,
    CONSTRAINT loss_limit_pkey PRIMARY KEY (connection_id, currency),
    CONSTRAINT loss_limit_partner_fkey FOREIGN KEY (partner_id) REFERENCES partner (id),
    CONSTRAINT loss_limit_connection_fkey FOREIGN KEY (connection_id) REFERENCES connection (id),
    CONSTRAINT loss_limit_currency_fkey FOREIGN KEY (currency) REFERENCES currency (name),
    CONSTRAINT loss_limit_not_negative CHECK
        (least(per_settlement, per_day, next_per_settlement, next_per_day) >= 0),
    CONSTRAINT loss_limit_next_whole CHECK
        (next_from IS NOT NULL OR (next_per_settlement IS NULL AND next_per_day IS NULL))
);
CREATE INDEX loss_limit_partner ON loss_limit (partner_id);
CREATE TRIGGER loss_limit_kept BEFORE DELETE OR TRUNCATE OR UPDATE OF partner_id, connection_id, currency ON loss_limit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
