export {
  type Action,
  actionsOfRole,
  type CoreAction,
  coreActions,
  defineActions,
  type ExperimentAction,
  isAction,
  type Role,
  roles,
} from './actions.js';
export {
  assertCan,
  authorisationScope,
  can,
  experimentsFor,
  type Permissions,
  permissionsOf,
} from './permissions.js';
export {
  type ActionPolicy,
  enforce,
  isFixed,
  type ExperimentsOfCall,
  type OpenPolicy,
  type OwnPolicy,
  type OwnRule,
  type Policies,
  type Policy,
  type PolicyCall,
} from './policy.js';
export {
  createPrincipal,
  type Grant,
  type Principal,
  type PrincipalInit,
  type PrincipalKind,
  principalKinds,
} from './principal.js';
export { createTokenIssuer, type MintOptions, type TokenIssuer, type TokenIssuerOptions } from './issuer.js';
export { type IssuerSettings, issuerSettings, trustedIssuers } from './issuer-settings.js';
export type { TrustedIssuer } from './keys.js';
export { createVerifier, type Verifier, type VerifierOptions } from './verifier.js';
