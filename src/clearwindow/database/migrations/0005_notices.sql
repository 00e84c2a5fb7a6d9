-- What happened, for whom: written in the transaction that made it happen. Protocol §9.

CREATE TABLE event (
    id             uuid        NOT NULL,
    sequence       bigint      GENERATED ALWAYS AS IDENTITY,
    enterprise_id  text        NOT NULL,
    type           text        NOT NULL,
    subject_id     uuid        NOT NULL,
    payload        jsonb       NOT NULL,
    created_at     timestamptz NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (id),
    CONSTRAINT event_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id)
);
CREATE INDEX event_sequence ON event (sequence);
CREATE INDEX event_enterprise ON event (enterprise_id, sequence);
CREATE INDEX event_subject ON event (subject_id, sequence);
