// Drives the published SDK for test_published_sdk.py: a JSON request on each line of stdin, its answer on one of stdout.
'use strict';

const { createInterface } = require('node:readline');
const { BitGoAPI } = require('@bitgo/sdk-api');
const { coins } = require('@bitgo/sdk-core');

const desks = [];

function connect({ root, token, authVersion }) {
  const bitgo = new BitGoAPI({ env: 'custom', customRootURI: root, accessToken: token, authVersion });
  bitgo.register('ofc', coins.Ofc.createInstance);
  return bitgo;
}

const does = {
  // A new key, and its private half as only the passphrase opens it.
  async makeKey({ root, passphrase }) {
    const bitgo = connect({ root, token: 'none' });
    const { pub, prv } = bitgo.coin('ofc').keychains().create();
    return { pub, encryptedPrv: bitgo.encrypt({ input: prv, password: passphrase }) };
  },

  async open(asked) {
    const bitgo = connect(asked);
    const constants = await bitgo.fetchConstants();
    const wallet = await bitgo.coin('ofc').wallets().get({ id: asked.wallet });
    const account = wallet.toTradingAccount();
    desks.push({ bitgo, wallet, account, network: account.toNetwork() });
    return { desk: desks.length - 1, id: account.id, keys: wallet.keyIds(), constants };
  },

  async network({ desk, method, params }) {
    return desks[desk].network[method](params);
  },

  async signPayload({ desk, payload, passphrase }) {
    return desks[desk].account.signPayload({ payload, walletPassphrase: passphrase });
  },

  async custodianSigns({ desk, payload }) {
    const { bitgo, wallet } = desks[desk];
    return bitgo.post(wallet.url('/tx/sign')).send({ payload }).result('signature');
  },

  async listKeys({ desk }) {
    const { bitgo, wallet } = desks[desk];
    return Promise.all(wallet.keyIds().map((id) => bitgo.coin('ofc').keychains().get({ id })));
  },
};

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    const { does: what, ...asked } = JSON.parse(line);
    let answer;
    try {
      answer = { result: (await does[what](asked)) ?? null };
    } catch (error) {
      answer = { error: { message: error.message, status: error.status ?? null, body: error.result ?? null } };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
