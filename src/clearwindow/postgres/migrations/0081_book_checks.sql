-- The last check of each kind, for whoever watches that checks are made and find nothing. It proves nothing.
CREATE TABLE book_check (
    kind        text             NOT NULL,
    checked_at  timestamptz      NOT NULL,
    seconds     double precision NOT NULL,
    -- How many invariants were violated.
    violated    integer          NOT NULL,
    CONSTRAINT book_check_pkey PRIMARY KEY (kind),
    CONSTRAINT book_check_kind CHECK (kind IN ('books', 'signatures')),
    CONSTRAINT book_check_numbers CHECK (seconds >= 0 AND violated >= 0)
);
