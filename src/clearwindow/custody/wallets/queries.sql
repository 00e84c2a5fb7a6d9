-- name: insert_signature
INSERT INTO custodian_signature (key_id, payload_sha256, enterprise_id, user_id, operations, signed_at)
VALUES (%(key_id)s, %(payload_sha256)s, %(enterprise_id)s, %(user_id)s, %(operations)s, %(now)s)
ON CONFLICT (key_id, payload_sha256) DO NOTHING

-- name: list_partner_currencies
SELECT partner_currency.partner_name, partner_currency.currency, currency.decimals,
       partner_configuration.amount_unit
FROM partner_configuration
JOIN partner_currency ON partner_currency.enterprise_id = partner_configuration.enterprise_id
JOIN currency ON currency.name = partner_currency.currency
WHERE partner_configuration.enterprise_id = %(enterprise_id)s

-- name: add_to_day
-- In the order of the currencies, so that two texts at the same instant do not wait for each other in a circle.
INSERT INTO custodian_day (enterprise_id, day, currency, quantity)
SELECT %(enterprise_id)s, %(day)s, given.currency, given.quantity
FROM unnest(%(currencies)s::text[], %(quantities)s::numeric[]) AS given (currency, quantity)
ORDER BY given.currency
ON CONFLICT (enterprise_id, day, currency) DO UPDATE
SET quantity = custodian_day.quantity + excluded.quantity

-- name: list_day
SELECT custodian_day.currency, custodian_day.quantity, approval_threshold.quantity AS limit
FROM custodian_day
LEFT JOIN approval_threshold ON approval_threshold.enterprise_id = custodian_day.enterprise_id
    AND approval_threshold.kind = 'custodian_limit' AND approval_threshold.currency = custodian_day.currency
WHERE custodian_day.enterprise_id = %(enterprise_id)s AND custodian_day.day = %(day)s
  AND custodian_day.currency = ANY(%(currencies)s)
ORDER BY custodian_day.currency
