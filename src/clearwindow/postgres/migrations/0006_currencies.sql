-- The field's common assets, and their test twins, are there from the start.

INSERT INTO currency (name, backing, decimals)
SELECT prefix.ofc || asset.backing, prefix.backing || asset.backing, asset.decimals
FROM (VALUES ('ofc', ''), ('ofct', 't')) AS prefix (ofc, backing)
CROSS JOIN (VALUES
    ('btc', 8), ('eth', 18), ('sol', 9), ('xrp', 6), ('ltc', 8), ('doge', 8), ('avaxc', 18), ('trx', 6),
    ('usdt', 6), ('usdc', 6), ('usd', 2), ('eur', 2), ('gbp', 2), ('sgd', 2)
) AS asset (backing, decimals);
