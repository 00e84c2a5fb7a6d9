/** Answers: the data or an exception, and lists page by page. */

/** What a call returns. */
export interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** The server refused the request. */
export class ClearwindowError extends Error {
  override readonly name = "ClearwindowError";
  /** The name of the error, which never changes; the server's page of errors explains it. */
  readonly code: string;
  readonly status: number;
  /** Under which the server's log has the request. */
  readonly requestId: string | undefined;
  /** The whole body of the answer, with the error's details. */
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    const told: Record<string, unknown> = typeof body === "object" && body !== null ? { ...body } : {};
    super(typeof told["error"] === "string" ? told["error"] : `the server answered ${status}`);
    this.status = status;
    this.body = body;
    this.code = typeof told["name"] === "string" ? told["name"] : "unknown";
    this.requestId = typeof told["requestId"] === "string" ? told["requestId"] : undefined;
  }
}

/**
 * Returns the data of an answer.
 *
 * @throws ClearwindowError if the server refused the request.
 */
export function unwrap<Data>({ data, error, response }: Answer<Data>): Data {
  if (!response.ok) {
    throw new ClearwindowError(response.status, error);
  }
  return data as Data;
}

/** Returns the cursor of the page after this answer, `undefined` after the last one. */
export function nextCursor(response: Response): string | undefined {
  const next = /<([^>]*)>;\s*rel="next"/.exec(response.headers.get("Link") ?? "")?.[1];
  return next === undefined ? undefined : (new URL(next, "http://server").searchParams.get("cursor") ?? undefined);
}

/**
 * Yields the pages of a list, until the last one.
 *
 * @param read reads one page: that after the cursor, or the first one without it.
 * @throws ClearwindowError if the server refuses a page.
 */
export async function* pages<Data>(
  read: (place: { cursor?: string }) => Promise<Answer<Data>>,
): AsyncGenerator<Data, void, void> {
  let cursor: string | undefined;
  do {
    const answer = await read(cursor === undefined ? {} : { cursor });
    yield unwrap(answer);
    cursor = nextCursor(answer.response);
  } while (cursor !== undefined);
}
