export { identityPolicies, type IdentityGraphOptions, identityResolvers } from './graph/resolvers.js';
export { TokenEndpoints, type TokenEndpointsOptions } from './token-endpoints.js';
