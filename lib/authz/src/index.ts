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
  type AttemptReference,
  createPrincipal,
  createSharedPrincipal,
  gatewayPrincipal,
  describePrincipal,
  type Grant,
  never,
  owns,
  type Principal,
  type PrincipalInit,
  type PrincipalKind,
  principalKinds,
} from './principal.js';
export {
  createTokenIssuer,
  type MintOptions,
  signToken,
  type TokenIssuer,
  type TokenIssuerOptions,
  type TokenSigner,
} from './issuer.js';
export {
  callAudience,
  callKeysPath,
  type CallSigner,
  type CallSignerOptions,
  type CallVerifierOptions,
  createCallSigner,
  createCallVerifier,
  gatewayIssuer,
  narrowPrincipal,
  sharePrincipal,
} from './call-tokens.js';
export { expandGrants, maxGroups, maxIdentities } from './claim-forms.js';
export { loadKey, newKey, publicJwk } from './key-file.js';
export { type PrivateFile, readPrivateFile, unusableFile } from './private-file.js';
export type { ElevationReference } from './elevation.js';
export type { IssuerConstraints } from './issuer-constraints.js';
export {
  covers,
  type CurrentRights,
  currentRights,
  limitedTo,
  type PeopleDirectory,
  type PersonRights,
  type RightsHolder,
  type RightsNow,
  rightsOfToken,
  withCurrentRights,
} from './current-rights.js';
export type { Revocable, RevocationList } from './revocations.js';
export { assertSecureListening, assertSecureTransport, isLoopbackHost } from './secure-transport.js';
export { accessTokenKinds, maxLifetimes, type TokenKind, tokenKinds, tokenTypes } from './token-kinds.js';
export {
  callVerifierOf,
  type GatewayKeySettings,
  gatewayKeySettings,
  type IssuerSettings,
  issuerSettings,
  trustedIssuers,
} from './issuer-settings.js';
export type { TrustedIssuer } from './keys.js';
export {
  createVerifier,
  maxTokenLength,
  signatureAlgorithms,
  type Verifier,
  type VerifierOptions,
} from './verifier.js';
export {
  coreIssuer,
  maxRightsHolders,
  readRightsAnswer,
  readRightsQuestion,
  rightsAudience,
  rightsPath,
  writeRightsAnswer,
  writeRightsQuestion,
} from './rights-endpoint.js';
