export {
  AccessGuard,
  complete,
  type NamedPolicies,
  type Restriction,
  withoutAccessDemand,
} from './access/index.js';
export { errorsOf, refusal, statusOf, withdrawn, withFact } from './error-responses.js';
export { bodyAllowanceOf } from './body-allowance.js';
export { assertLocalCaller, assertNotCrossSite, isLoopback } from './cross-site.js';
export {
  assertNotOfOtherSite,
  assertOwnPage,
  cookieOf,
  csrfHeader,
  isExactOrigin,
  sessionCookie,
} from './own-page.js';
export { assertAffordable, costOf } from './cost.js';
export {
  createIdentity,
  type Identity,
  pathOf,
  type OwnCredentials,
  requestIdOf,
  tokenIn,
  type CallerEnd,
  endOfChanged,
  endOfRevoked,
  tokenRevoked,
} from './identity.js';
export { defaultLimits, type GatewayLimits } from './limits.js';
export { certificateThumbprint } from './client-certificate.js';
export { Expiries, type Expiring } from './expiries.js';
export { isIntrospection, shapeChecks } from './operation-checks.js';
export { mayTrace, planRefused } from './plan-right.js';
export { FairQueue, type FairQueueLimits, type Release } from './rate/fair-queue.js';
export { type Admission, Admissions, failuresKey, type NamedHolder, namedHolder } from './rate/admissions.js';
export { CallerGate, limitedIdentity } from './rate/caller-gate.js';
export { LoopDelay } from './rate/loop-delay.js';
export { keyOf, RateLimiter } from './rate/rate-limiter.js';
export {
  type CallerRates,
  type RatedCaller,
  ratedCallers,
  rateNames,
  ratesOf,
  type RateSettings,
} from './rate/rate-settings.js';
export { argumentsOf, isIncluded, type RootField, rootFieldsOf, type Variables } from './root-fields.js';
export { submittedJobs } from './rate/submitted-jobs.js';
export { type WorkClass, workClassOf } from './rate/work-class.js';
export { WaitingCalls } from './rate/waiting-calls.js';
export { waitMsOf } from './rate/wait-time.js';
export { type ClientAddress, clientAddresses, isNetwork } from './rate/client-address.js';
export { type Caller, callerOf, Narrowing, scopeOf } from './scope.js';
export { type OperationManifest, readManifest } from './persisted/manifest.js';
export {
  defaultPersisted,
  PersistedOperations,
  type PersistedSettings,
} from './persisted/persisted-operations.js';
