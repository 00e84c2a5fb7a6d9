-- Whether an enterprise may open connections and allocate to one partner. Without a row it may.

CREATE TABLE partner_licence (
    enterprise_id  text        NOT NULL,
    partner_id     uuid        NOT NULL,
    licensed       boolean     NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT partner_licence_pkey PRIMARY KEY (enterprise_id, partner_id),
    CONSTRAINT partner_licence_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id),
    CONSTRAINT partner_licence_partner_fkey FOREIGN KEY (partner_id) REFERENCES partner (id)
);
