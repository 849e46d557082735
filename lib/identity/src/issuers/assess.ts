/**
 * Decides what a token of an outside issuer is worth. Exchange and explanation share this module, so that an
 * explanation is always what happens.
 */
import type { Grant, PrincipalKind, Role } from '@rhizome/authz';
import { type Claims, textsAt } from './claims.js';
import type { IssuerSettingsRecord, MappingRule, RuleCondition } from './issuer.document.js';
import { anyAudience, type ClaimFacts, readFacts } from './profiles.js';

/** A check of the token as a whole. */
export interface TokenCheck {
  readonly name: 'ISSUER' | 'TIME' | 'AUDIENCE' | 'LIFETIME' | 'SUBJECT' | 'PROFILE' | 'KIND';
  readonly passed: boolean;
  readonly detail: string;
}

/** A role that a rule names, and whether the issuer may give it. */
export interface GrantOutcome {
  readonly experiment: string;
  readonly role: Role;
  readonly isGranted: boolean;
  /** Null if it is granted. */
  readonly reason: string | null;
}

/** A rule's result for one token. */
export interface RuleOutcome {
  readonly rule: string;
  readonly applies: boolean;
  /** The values that matched, or the condition that did not hold. */
  readonly reason: string;
  readonly grants: readonly GrantOutcome[];
}

/** Value of a token: its holder, its rights, and the checks behind them. */
export interface Assessment {
  /** True if all checks passed. */
  readonly isAccepted: boolean;
  readonly checks: readonly TokenCheck[];
  readonly rules: readonly RuleOutcome[];
  readonly subject: string;
  readonly kind: PrincipalKind;
  readonly displayName: string | null;
  /** Rights within the issuer's constraints. */
  readonly grants: readonly Grant[];
  /** Queues for which workers may be enrolled. */
  readonly queues: readonly string[];
}

/** Name of the rule for rights that a token states itself. */
export const statedRule = '(claim rhizome.grants)';

/** Difference of clocks that is tolerated, in seconds. */
const toleranceSeconds = 60;

/** Assesses claims whose signature was verified. */
export function assess(claims: Claims, issuer: IssuerSettingsRecord, now: Date): Assessment {
  const facts = readFacts(issuer.profile, claims);
  const kind: PrincipalKind = facts.isWorkload ? 'SERVICE' : 'HUMAN';
  const checks = checksOf(claims, issuer, facts, kind, now);
  const stated = facts.grants.length === 0 ? [] : [statedOutcome(facts.grants, issuer)];
  const applied = issuer.rules.map((rule) => ({ rule, outcome: outcomeOf(rule, claims, facts, issuer) }));
  const rules = [...stated, ...applied.map(({ outcome }) => outcome)];
  const isAccepted = checks.every(({ passed }) => passed);
  return {
    isAccepted,
    checks,
    rules,
    subject: textsAt(claims, 'sub')[0] ?? '',
    kind,
    displayName: facts.displayName?.slice(0, 200) ?? null,
    grants: isAccepted ? grantsOf(rules.flatMap(({ grants }) => grants)) : [],
    queues: isAccepted
      ? [...new Set(applied.flatMap(({ rule, outcome }) => (outcome.applies ? rule.queues : [])))].sort()
      : [],
  };
}

/** Rights as the issuer's constraints leave them. */
export function constrain(grants: readonly Grant[], issuer: IssuerSettingsRecord): readonly GrantOutcome[] {
  return grants.flatMap(({ experiment, roles }) =>
    roles.map((role) => {
      const reason = refusalOf(experiment, role, issuer);
      return { experiment, role, isGranted: reason === null, reason };
    }),
  );
}

/** The granted roles by experiment, each once, in a stable order. */
export function grantsOf(outcomes: readonly GrantOutcome[]): readonly Grant[] {
  const granted = outcomes.filter(({ isGranted }) => isGranted);
  return mergedGrants(granted.map(({ experiment, role }) => ({ experiment, roles: [role] })));
}

/** The roles of grants by experiment, each once, in a stable order. */
export function mergedGrants(grants: readonly Grant[]): readonly Grant[] {
  const found = new Map<string, Set<Role>>();
  for (const { experiment, roles } of grants)
    for (const role of roles) found.set(experiment, (found.get(experiment) ?? new Set()).add(role));
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([experiment, set]) => ({ experiment, roles: [...set].sort() }));
}

function refusalOf(experiment: string, role: Role, issuer: IssuerSettingsRecord): string | null {
  if (role === 'PILOT') return 'workers get their rights by enrolment only';
  if (!issuer.roles.includes(role)) return `the issuer may not give the role ${role}`;
  if (issuer.experiments.includes('*') || issuer.experiments.includes(experiment)) return null;
  return experiment === '*'
    ? 'the issuer may not give rights in all experiments'
    : `the issuer may not give rights in "${experiment}"`;
}

function statedOutcome(grants: readonly Grant[], issuer: IssuerSettingsRecord): RuleOutcome {
  return {
    rule: statedRule,
    applies: true,
    reason: 'the token names these rights itself',
    grants: constrain(grants, issuer),
  };
}

function outcomeOf(
  rule: MappingRule,
  claims: Claims,
  facts: ClaimFacts,
  issuer: IssuerSettingsRecord,
): RuleOutcome {
  const { applies, reason } = match(rule.when, claims, facts);
  return { rule: rule.name, applies, reason, grants: applies ? constrain(rule.grants, issuer) : [] };
}

function match(
  { everyone, subjects, groups, scopes, entitlements, claims: wanted }: RuleCondition,
  claims: Claims,
  facts: ClaimFacts,
): { readonly applies: boolean; readonly reason: string } {
  if (everyone) return { applies: true, reason: 'the rule is for everyone of the issuer' };
  const conditions: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['subject', subjects, textsAt(claims, 'sub')],
    ['group', groups, facts.groups],
    ['scope', scopes, facts.scopes],
    ['entitlement', entitlements, facts.entitlements],
    ...wanted.map(({ claim, values }) => [`claim ${claim}`, values, textsAt(claims, claim)] as const),
  ];
  const matched: string[] = [];
  for (const [what, values, held] of conditions) {
    if (values.length === 0) continue;
    const hit = values.find((value) => held.includes(value));
    if (hit === undefined) return { applies: false, reason: unmet(what, values, held) };
    matched.push(`${what} ${JSON.stringify(hit)}`);
  }
  return matched.length > 0
    ? { applies: true, reason: matched.join(', ') }
    : { applies: false, reason: 'the rule has no condition' };
}

function unmet(what: string, values: readonly string[], held: readonly string[]): string {
  const has = held.length === 0 ? 'none' : quoted(held);
  return `${what} must be ${values.length === 1 ? '' : 'one of '}${quoted(values)}; the token has ${has}`;
}

function quoted(values: readonly string[]): string {
  const shown = values.slice(0, 10).map((value) => JSON.stringify(value.slice(0, 200)));
  return values.length > shown.length
    ? `${shown.join(', ')} and ${values.length - shown.length} more`
    : shown.join(', ');
}

function checksOf(
  claims: Claims,
  issuer: IssuerSettingsRecord,
  facts: ClaimFacts,
  kind: PrincipalKind,
  now: Date,
): readonly TokenCheck[] {
  const check = (name: TokenCheck['name'], fault: string | null, detail: string): TokenCheck => ({
    name,
    passed: fault === null,
    detail: fault ?? detail,
  });
  return [
    check('ISSUER', issuer.isEnabled ? null : 'the issuer is disabled', issuer.issuer),
    check('TIME', timeFault(claims, now), 'the token is valid now'),
    check('AUDIENCE', audienceFault(claims, issuer), 'the token is for this service'),
    check('LIFETIME', lifetimeFault(claims, issuer), `at most ${issuer.maxLifetimeSeconds} s`),
    check('SUBJECT', subjectFault(claims), textsAt(claims, 'sub')[0] ?? ''),
    check('PROFILE', facts.faults.length === 0 ? null : facts.faults.join('; '), issuer.profile),
    check('KIND', issuer.kinds.includes(kind) ? null : `the issuer may not speak for kind ${kind}`, kind),
  ];
}

function timeFault(claims: Claims, now: Date): string | null {
  const seconds = now.getTime() / 1000;
  const { exp, nbf, iat } = claims;
  if (typeof exp !== 'number' || typeof iat !== 'number') return 'exp and iat are required';
  if (exp + toleranceSeconds <= seconds) return `the token expired at ${new Date(exp * 1000).toISOString()}`;
  if (iat - toleranceSeconds > seconds) return 'iat is in the future';
  if (typeof nbf === 'number' && nbf - toleranceSeconds > seconds) return 'the token is not valid yet (nbf)';
  return null;
}

function audienceFault(claims: Claims, { audiences }: IssuerSettingsRecord): string | null {
  const held = textsAt(claims, 'aud');
  const broad = held.find((audience) => anyAudience.has(audience));
  if (broad !== undefined) return `the token is for every service (${JSON.stringify(broad)})`;
  if (held.some((audience) => audiences.includes(audience))) return null;
  return unmet('audience', audiences, held);
}

function lifetimeFault({ exp, iat }: Claims, { maxLifetimeSeconds }: IssuerSettingsRecord): string | null {
  const lifetime = Number(exp) - Number(iat);
  if (lifetime <= maxLifetimeSeconds) return null;
  return `${lifetime} s is too long; must be at most ${maxLifetimeSeconds} s`;
}

function subjectFault(claims: Claims): string | null {
  const { sub } = claims;
  if (typeof sub !== 'string' || sub === '') return 'sub is missing';
  return sub.length > 255 ? 'sub is longer than 255 characters' : null;
}
