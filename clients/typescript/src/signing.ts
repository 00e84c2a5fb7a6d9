/** Signs requests, as the protocol says in sections 3 and 11. */

import { secp256k1 } from "@noble/curves/secp256k1";
import { sha256 } from "@noble/hashes/sha2";
import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils";
import { HDKey } from "@scure/bip32";

/** Takes the payload, which is the exact text to sign, and returns the signature as 130 hexadecimal characters. */
export type Signer = (payload: string) => string | Promise<string>;

/** Which request a payload is for: the operation, the ids of the path, and what else it says. */
export interface Intent {
  /** Such as `settlement.stage`. */
  operation: string;
  /** Until when the payload may be sent for the first time. In ten minutes if absent. */
  expiresAt?: string;
  /** The unit of the amounts: `base` or `decimal`. */
  amountUnit?: string;
  /** The ids in the request's path, such as `enterpriseId`. */
  [pathId: `${string}Id`]: string;
}

const VALID_MILLISECONDS = 600_000;
const MAGIC = utf8ToBytes("\x18Bitcoin Signed Message:\n");
const TESTNET = { private: 0x04358394, public: 0x043587cf };
/** 27 marks a recoverable signature and 4 a compressed key. */
const COMPRESSED_HEADER = 31;

/** Returns a signer with a private key (`xprv` or `tprv`) in this process. */
export function keySigner(xprv: string): Signer {
  const text = xprv.trim();
  let secret: Uint8Array | null;
  try {
    secret = HDKey.fromExtendedKey(text, text.startsWith("t") ? TESTNET : undefined).privateKey;
  } catch {
    // The library's own words could quote the key.
    secret = null;
  }
  if (secret === null) {
    throw new TypeError("the key is not an xprv or tprv");
  }
  const key = secret;
  return (payload) => {
    const signature = secp256k1.sign(digest(utf8ToBytes(payload)), key, { lowS: true });
    return bytesToHex(Uint8Array.of(COMPRESSED_HEADER + signature.recovery)) + signature.toCompactHex();
  };
}

/**
 * Returns the body of a signed request. Its payload has the fields and says which request it is for, so that it serves
 * for no other.
 *
 * @param sign the signer.
 * @param fields the fields of the body, without `payload` and `signature`.
 * @param intent which request it is for.
 */
export async function signed<Fields extends object>(
  sign: Signer,
  fields: Fields,
  intent: Intent,
): Promise<Fields & { payload: string; signature: string }> {
  const usual = new Date(Date.now() + VALID_MILLISECONDS).toISOString();
  // Fields of a request that has its own `expiresAt` come last.
  const payload = JSON.stringify({ expiresAt: usual, ...intent, ...fields });
  return { ...fields, payload, signature: await sign(payload) };
}

function digest(payload: Uint8Array): Uint8Array {
  return sha256(sha256(concatBytes(MAGIC, compactSize(payload.length), payload)));
}

/** Bitcoin's form of a length: below 253 one byte, then a marker byte and the length, little-endian. */
function compactSize(length: number): Uint8Array {
  if (length < 0xfd) {
    return Uint8Array.of(length);
  }
  const short = length <= 0xffff;
  const sized = new Uint8Array(short ? 3 : 5);
  const view = new DataView(sized.buffer);
  view.setUint8(0, short ? 0xfd : 0xfe);
  if (short) {
    view.setUint16(1, length, true);
  } else {
    view.setUint32(1, length, true);
  }
  return sized;
}
