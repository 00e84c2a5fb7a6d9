/** A typed client of Clearwindow. Its types are made from the server's OpenAPI document. */

export { ClearwindowError, nextCursor, pages, unwrap, type Answer } from "./answers.js";
export { connect, type Network, type Options } from "./connect.js";
export { keySigner, signed, type Intent, type Signer } from "./signing.js";
export type { components, operations, paths } from "./schema.js";
