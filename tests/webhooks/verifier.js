// Verifies deliveries for test_reference_libraries.py: a JSON list on stdin, what became of each on stdout.
'use strict';

const { createPublicKey, verify } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { Webhook } = require('standardwebhooks');

// With the standard's own library, which knows `v1`.
function byLibrary({ headers, secret }, body) {
  try {
    return { believed: true, event: new Webhook(secret).verify(body, headers) };
  } catch (error) {
    return { believed: false, reason: error.message };
  }
}

// With nothing but Ed25519, as a receiver would write `v1a` by hand.
function byHand({ headers, publicKey }, body) {
  const x = Buffer.from(publicKey.slice('whpk_'.length), 'base64').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const signed = Buffer.concat([Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`), body]);
  return headers['webhook-signature']
    .split(' ')
    .filter((signature) => signature.startsWith('v1a,'))
    .some((signature) => verify(null, signed, key, Buffer.from(signature.slice('v1a,'.length), 'base64')));
}

const deliveries = JSON.parse(readFileSync(0, 'utf8'));
const judged = deliveries.map((delivery) => {
  const body = Buffer.from(delivery.body, 'base64');
  return { library: byLibrary(delivery, body), byHand: byHand(delivery, body) };
});
process.stdout.write(JSON.stringify(judged));
