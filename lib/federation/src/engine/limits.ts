import type { EngineLimits } from './types.js';

/** Default limits; see {@link EngineLimits}. */
export const defaultLimits: EngineLimits = Object.freeze({
  cachedOperations: 1_000,
  documentBytes: 2 ** 20,
  documentTokens: 15_000,
  expandedFields: 20_000,
  subgraphTimeoutMs: 30_000,
  subgraphTimeoutsMs: {},
  errorsPerFetch: 200,
  planTimeoutMs: 2_000,
});
