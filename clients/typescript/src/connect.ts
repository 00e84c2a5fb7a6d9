/** The client: one method for each HTTP method, with the paths, parameters, bodies and answers of the server. */

import createClient, { type Client } from "openapi-fetch";

import type { paths } from "./schema.js";

export type Network = Client<paths>;

export interface Options {
  /** The server's address, such as `https://network.example`. */
  url: string;
  /** An access token of a user, or of an operator. */
  token: string;
  /** How long one call may take, its answer included. 120 000 if absent. */
  timeoutMilliseconds?: number;
}

const USUAL_TIMEOUT_MILLISECONDS = 120_000;

/**
 * Returns a client for one token. It follows no redirect, so that the token stays with this server.
 *
 * A call returns `{ data, error, response }`, and throws if there is no answer. `unwrap` makes an exception of an error.
 */
export function connect({ url, token, timeoutMilliseconds = USUAL_TIMEOUT_MILLISECONDS }: Options): Network {
  return createClient<paths>({
    baseUrl: url,
    headers: { Authorization: `Bearer ${token}` },
    fetch: (request) =>
      fetch(request, { redirect: "error", signal: endedByEither(request.signal, AbortSignal.timeout(timeoutMilliseconds)) }),
  });
}

/** Node 18 has no `AbortSignal.any`. */
function endedByEither(...signals: AbortSignal[]): AbortSignal {
  const ended = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) {
      ended.abort(signal.reason);
    }
    signal.addEventListener("abort", () => ended.abort(signal.reason), { once: true });
  }
  return ended.signal;
}
