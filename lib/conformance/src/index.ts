/** The contract of an endpoint in any language; needs no test runner. */
export { type CallToken, callTokens } from './call-token.js';
export { checkEndpoint } from './check-endpoint.js';
export { countLoadsHeader } from './endpoint-client.js';
export {
  type ContractFinding,
  type ContractPart,
  contractParts,
  type EndpointContract,
  type EntityUnderContract,
  type SchemaFinding,
  type SubscriptionUnderContract,
} from './types.js';
