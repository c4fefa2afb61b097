/**
 * A client of the multicodex sidecar: starts it, sends requests, and starts it again when it ends unexpectedly. The methods
 * are in schema/reference.md, how they work together in schema/protocol.md; their types are generated from schema/.
 */
export { findBinary } from "./binary.ts";
export { Multicodex, type MulticodexOptions, type RequestOptions } from "./client.ts";
export type { Progress } from "./completion.ts";
export { BinaryNotFoundError, CompletionError, RequestError, SidecarGoneError } from "./errors.ts";
export type * from "./generated.ts";
