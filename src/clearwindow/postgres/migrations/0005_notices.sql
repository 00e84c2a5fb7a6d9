-- What happened, for whom: written in the transaction that made it happen. Protocol §9.

CREATE TABLE event (
    id             uuid        NOT NULL,
    sequence       bigint      GENERATED ALWAYS AS IDENTITY,
    enterprise_id  text        NOT NULL,
    type           text        NOT NULL,
    subject_id     uuid        NOT NULL,
    payload        jsonb       NOT NULL,
    created_at     timestamptz NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (id)
);
CREATE TRIGGER event_enterprise_fkey AFTER INSERT ON event
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT
    EXECUTE FUNCTION check_references('event_enterprise_fkey', 'enterprise_id', 'enterprise',
        'enterprise.id = given.enterprise_id');
CREATE TRIGGER event_enterprise_kept BEFORE UPDATE OF enterprise_id ON event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE INDEX event_sequence ON event (sequence);
CREATE INDEX event_enterprise ON event (enterprise_id, sequence);
CREATE INDEX event_subject ON event (subject_id, sequence);
