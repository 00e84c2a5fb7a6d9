-- One event for a step of a settlement. It belongs to `enterprise_id`, the partner's, and to each client with a
-- connection in the settlement `subject_id`: their number is `clients`. Other events have no clients. Protocol §9.

ALTER TABLE event
    ADD COLUMN clients integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT event_clients_counted CHECK (clients >= 0);
CREATE INDEX event_of_clients ON event (created_at) WHERE clients > 0;

-- The id under which a client sees such an event. It begins as the event's own id, so that the event is found by it.
CREATE FUNCTION client_event_id(event_id uuid, enterprise_id text) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT overlay(overlay(md5(event_id::text || enterprise_id) PLACING left(replace(event_id::text, '-', ''), 16) FROM 1)
                   PLACING '8' FROM 17)::uuid
$$;

-- What an owner of an event reads in it: a client also the ids of its own connections.
CREATE FUNCTION event_payload(payload jsonb, settlement_id uuid, enterprise_id text, as_client boolean)
RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN as_client THEN payload || jsonb_build_object('connectionIds', (
        SELECT jsonb_agg(connection.id ORDER BY connection.id)
        FROM client
        JOIN connection ON connection.client_id = client.id
        JOIN settlement_party AS party ON (party.settlement_id, party.connection_id) = ($2, connection.id)
        WHERE client.enterprise_id = $3
    )) ELSE payload END
$$;

-- `as_client`: the message is the client's view of a settlement's event. An enterprise may be partner and client.
ALTER TABLE webhook_delivery ADD COLUMN as_client boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX webhook_delivery_once ON webhook_delivery (event_id, endpoint_id, as_client) WHERE NOT replayed;

-- The events whose deliveries are not made yet. A worker makes them after the commit, in this order.
CREATE TABLE event_to_deliver (
    sequence  bigint NOT NULL,
    event_id  uuid   NOT NULL,
    CONSTRAINT event_to_deliver_pkey PRIMARY KEY (sequence)
);

CREATE FUNCTION queue_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event_to_deliver (sequence, event_id) SELECT sequence, id FROM new_row;
    RETURN NULL;
END $$;
DROP TRIGGER event_owed ON event;
DROP FUNCTION owe_deliveries();
CREATE TRIGGER event_queued AFTER INSERT ON event
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT EXECUTE FUNCTION queue_events();
