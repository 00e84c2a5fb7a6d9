-- What a request that is signed anew is compared with. Protocol §2. Rows of older versions have NULL: their requests
-- are compared by bytes. The checks are NOT VALID so that no large table is read: all existing rows have NULL.

-- The record that the nonce's request made or repeated.
ALTER TABLE nonce ADD COLUMN record_id uuid;

-- The partner's currency names in the request, each with our name and the decimals to scale its amounts by.
ALTER TABLE settlement ADD COLUMN amount_scale jsonb;
ALTER TABLE settlement ADD CONSTRAINT settlement_amount_scale_object
    CHECK (jsonb_typeof(amount_scale) = 'object') NOT VALID;

-- The reason and the expected transfers that the dispute was raised with: updates change those of the dispute.
ALTER TABLE dispute ADD COLUMN raised_with jsonb;
ALTER TABLE dispute ADD CONSTRAINT dispute_raised_with_object
    CHECK (jsonb_typeof(raised_with) = 'object') NOT VALID;

-- The name that the connection was requested with: it can be renamed.
ALTER TABLE connection ADD COLUMN first_name text;
