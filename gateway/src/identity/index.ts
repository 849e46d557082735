export { Attempts, type AttemptsOptions } from './attempts.js';
export { identityPolicies, type IdentityGraphOptions, identityResolvers } from './graph/resolvers.js';
export { GraphQueueOwners } from './graph-queue-owners.js';
export { HeldAttempts } from './held-attempts.js';
export { tokenRoutes } from './metadata.js';
export { originsOf } from './origins.js';
export { RightsEndpoint } from './rights-endpoint.js';
export { WebEndpoints, webRoutes } from './web-endpoints.js';
export { TokenEndpoints, type TokenEndpointsOptions } from './token-endpoints.js';
