export {
  type EnrolmentDocument,
  type EnrolmentState,
  enrolmentStates,
  type EnrolmentWay,
  enrolmentWays,
  type InvitationDocument,
} from './enrolment/enrolment.document.js';
export type {
  Decided,
  DecisionCode,
  DecisionRequest,
  EnrolmentDecisions,
} from './enrolment/enrolment-decisions.js';
export type { EnrolmentRequest, EnrolmentsService } from './enrolment/enrolments.service.js';
export type { InvitationRequest, Invitations, Invited } from './enrolment/invitations.js';
export type { WorkerToken, WorkerTokens } from './enrolment/worker-tokens.js';
export type { EnrolmentFilter } from './enrolment/enrolments.repository.js';
export type { QueueOwners } from './enrolment/queue-owners.js';
export type { ElevationDocument } from './elevations/elevation.document.js';
export type {
  Elevated,
  ElevationCode,
  ElevationRequest,
  ElevationsService,
} from './elevations/elevations.service.js';
export type { GroupDocument, GroupMemberDocument } from './groups/group.document.js';
export type {
  GroupChanged,
  GroupRequest,
  GroupsService,
  MemberChanged,
  MemberCode,
  MemberOfGroup,
  MemberRequest,
} from './groups/groups.service.js';
export { type Identity, type IdentityOptions, openIdentity } from './identity.js';
export type { Assessment, GrantOutcome, RuleOutcome, TokenCheck } from './issuers/assess.js';
export {
  type ClaimCondition,
  type ClaimProfile,
  claimProfiles,
  type IssuerDocument,
  type IssuerLogin,
  type IssuerSettingsRecord,
  type IssuerVersionDocument,
  type MappingRule,
} from './issuers/issuer.document.js';
export { readIssuerFile } from './issuers/issuer-file.js';
export type {
  IssuerChanged,
  IssuerRemovalCode,
  IssuerSetCode,
  IssuersService,
  LoginOffer,
} from './issuers/issuers.service.js';
export type {
  Explanation,
  MembershipOutcome,
  OutsideIdentity,
  OutsideTokens,
} from './issuers/outside-tokens.js';
export type { LinkCode, Linked, LinksService, Unlinked } from './links/links.service.js';
export type { FailedGuesses, GuessLimit } from './guesses/failed-guesses.js';
export type {
  IdentityDocument,
  MembershipDocument,
  PrincipalDocument,
  RobotDocument,
} from './principals/principal.document.js';
export type {
  MembershipChanged,
  MembershipCode,
  MembershipRequest,
  PrincipalsService,
} from './principals/principals.service.js';
export {
  type RevocationDocument,
  type RevocationKind,
  revocationKinds,
} from './revocations/revocation.document.js';
export type { RevocationRequest, RevocationsService } from './revocations/revocations.service.js';
export type { RobotKeyDocument } from './robots/robot-key.document.js';
export type {
  KeyEnded,
  KeyRequest,
  RobotChanged,
  RobotCode,
  RobotKeyCode,
  RobotRequest,
  RobotsService,
  RobotTokenRequest,
} from './robots/robots.service.js';
export type { LoginPurpose, WebLogin } from './sessions/web-login.js';
export type { WebSessions } from './sessions/web-sessions.js';
export { type KeyEncryption, loadKeyEncryption, type Sealed } from './tokens/key-encryption.js';
export type { SigningKeys } from './tokens/signing-keys.js';
export type { ExchangeRequest } from './tokens/exchange-request.js';
export type { StorageSettings, StorageToken, StorageTokens } from './tokens/storage-tokens.js';
export type { IssuedToken, TokenService } from './tokens/token.service.js';
export {
  createProofVerifier,
  type ProofVerifier,
  type ProvenKey,
  type ProvenRequest,
} from './proof/proof-verifier.js';
