export type { TypedDocumentNode } from '@graphql-typed-document-node/core';
export { isRhizomeApiError, RhizomeApiError } from './api-error.js';
export type { ClientName } from './client-name.js';
export type { RetryOptions } from './retry-options.js';
export {
  type ApiClient,
  type CallOptions,
  type ClientOptions,
  createClient,
  type MutationOptions,
  type PartialAnswer,
  type ResumeOptions,
  type Retrying,
  type SubscribeOptions,
} from './client.js';
export { documentOf } from './document.js';
export type { Reconnecting, SnapshotTaken } from './resuming-stream.js';
export { assertSecureAddress, isLoopbackAddress } from './secure-address.js';
export type { ClientCertificate, TokenSource } from './token-source.js';
export {
  createProofKey,
  openProofKey,
  type ProofJwk,
  type ProofKey,
  type RequestToProve,
} from './proof-key.js';
