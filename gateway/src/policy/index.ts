export { errorsOf, refusal, statusOf, withdrawn, withFact } from './answers.js';
export { assertLocalCaller, assertNotCrossSite, isLoopback } from './cross-site.js';
export { assertAffordable, costOf } from './cost.js';
export { createIdentity, type Identity, requestIdOf } from './identity.js';
export { defaultLimits, type GatewayLimits } from './limits.js';
export { isIntrospection, shapeChecks } from './operation-checks.js';
export { mayTrace, planRefused } from './plan-right.js';
export { scopeOf } from './scope.js';
export { assertShallow } from './variables.js';
