/**
 * A client of the multicodex sidecar: starts it, speaks with it, starts it again when it dies. The meaning of the methods
 * and notices is in schema/protocol.md; their types are generated from schema/.
 */
export { findBinary } from "./binary.ts";
export { Multicodex, type MulticodexOptions, type RequestOptions } from "./client.ts";
export type { Progress } from "./completion.ts";
export { BinaryNotFoundError, CompletionError, RequestError, SidecarGoneError } from "./errors.ts";
export type * from "./generated.ts";
