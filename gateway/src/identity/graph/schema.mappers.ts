/** Values behind the types of the SDL in this folder. */
import type { Grant } from '@rhizome/authz';
import type {
  EnrolmentDocument,
  Explanation,
  GrantOutcome,
  IssuerDocument,
  IssuerVersionDocument,
  MappingRule,
  MemberOfGroup,
  MembershipDocument,
  PrincipalDocument,
  RevocationDocument,
  RuleOutcome,
  TokenCheck,
} from '@rhizome/identity';
import type { KeysetPage } from '@rhizome/mongo';

export type TokenIssuerMapper = IssuerDocument;
export type MappingRuleMapper = MappingRule;
export type TokenIssuerVersionMapper = IssuerVersionDocument;
export type TokenIssuerVersionConnectionMapper = KeysetPage<IssuerVersionDocument>;
export type KnownPrincipalMapper = PrincipalDocument;
export type KnownPrincipalConnectionMapper = KeysetPage<PrincipalDocument>;
export type RevocationMapper = RevocationDocument;
export type WorkerEnrolmentMapper = EnrolmentDocument;
export type WorkerEnrolmentConnectionMapper = KeysetPage<EnrolmentDocument>;
export type GroupMembershipMapper = MemberOfGroup;
export type MembershipMapper = MembershipDocument;
export type RoleGrantMapper = Grant;
export type TokenExplanationMapper = Explanation;
export type TokenCheckMapper = TokenCheck;
export type RuleResultMapper = RuleOutcome;
export type GrantResultMapper = GrantOutcome;
