/** Claim profiles: what an issuer's claims mean. Pure; signature and time are checked elsewhere. */
import { expandGrants, type Grant, type Role, roles } from '@rhizome/authz';
import { type Claims, claimAt, textsAt, wordsAt } from './claims.js';
import type { ClaimProfile } from './issuer.document.js';

/** Statements of a token about its holder. */
export interface ClaimFacts {
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  readonly entitlements: readonly string[];
  readonly displayName: string | null;
  /** True for software: a CI job, a pod, a client of its own. */
  readonly isWorkload: boolean;
  /** Rights that the token itself names; only of Rhizome's own form. */
  readonly grants: readonly Grant[];
  /** Violations of the profile; a token with one is not accepted. */
  readonly faults: readonly string[];
}

type ReadProfile = (claims: Claims) => Partial<ClaimFacts>;

/** Audiences that stand for every service; a token for all of them would open this one, too. */
export const anyAudience: ReadonlySet<string> = new Set(['https://wlcg.cern.ch/jwt/v1/any', 'ANY', '*']);

const capability = /^(compute|storage)\.[a-z]+(:|$)/;

/** WLCG Common JWT Profile 1.x: a capability scope makes groups irrelevant. */
const wlcg: ReadProfile = (claims) => {
  const scopes = wordsAt(claims, 'scope');
  const version = textsAt(claims, 'wlcg.ver')[0];
  const faults = [
    ...(version !== undefined && /^1\.\d+$/.test(version)
      ? []
      : [`wlcg.ver: ${JSON.stringify(version ?? null)} is not supported; must be 1.x`]),
    ...missing(claims, ['jti']),
  ];
  const groups = scopes.some((scope) => capability.test(scope)) ? [] : textsAt(claims, 'wlcg.groups');
  return { scopes, groups, faults, isWorkload: isOwnClient(claims) };
};

const scitokens: ReadProfile = (claims) => {
  const version = textsAt(claims, 'ver')[0];
  const isKnown = version === 'scitoken:2.0' || version === 'scitokens:2.0';
  const faults = isKnown
    ? []
    : [`ver: ${JSON.stringify(version ?? null)} is not supported; must be scitoken:2.0`];
  return { scopes: wordsAt(claims, 'scope'), faults, isWorkload: isOwnClient(claims) };
};

const oidc: ReadProfile = (claims) => ({
  scopes: [...wordsAt(claims, 'scope'), ...wordsAt(claims, 'scp')],
  groups: textsAt(claims, 'groups'),
  entitlements: textsAt(claims, 'entitlements'),
  isWorkload: isOwnClient(claims),
});

const ciLogon: ReadProfile = (claims) => ({
  scopes: wordsAt(claims, 'scope'),
  groups: [...textsAt(claims, 'isMemberOf'), ...textsAt(claims, 'wlcg.groups')],
  entitlements: textsAt(claims, 'entitlement'),
});

const egi: ReadProfile = (claims) => ({
  scopes: wordsAt(claims, 'scope'),
  entitlements: [...textsAt(claims, 'eduperson_entitlement'), ...textsAt(claims, 'entitlements')],
  displayName: textsAt(claims, 'name')[0] ?? textsAt(claims, 'voperson_id')[0] ?? null,
});

/** A job of a CI service or a pod: its identity is in the claims, never in the text of `sub`. */
const workload =
  (required: readonly string[], named: string): ReadProfile =>
  (claims) => ({
    isWorkload: true,
    displayName: textsAt(claims, named)[0] ?? null,
    faults: missing(claims, required),
  });

const rhizome: ReadProfile = (claims) => {
  const kind = claimAt(claims, 'rhizome.kind');
  const stated = expandGrants(claimAt(claims, 'rhizome.grants'));
  const isKnown = kind === 'HUMAN' || kind === 'SERVICE';
  return {
    isWorkload: kind === 'SERVICE',
    grants: Array.isArray(stated) ? stated.flatMap(grantOf) : [],
    faults: isKnown
      ? []
      : [`rhizome.kind: ${JSON.stringify(kind ?? null)} is not valid; must be HUMAN or SERVICE`],
  };
};

const readers: Readonly<Record<ClaimProfile, ReadProfile>> = {
  RHIZOME: rhizome,
  WLCG: wlcg,
  SCITOKENS: scitokens,
  CILOGON: ciLogon,
  EGI_CHECK_IN: egi,
  OIDC: oidc,
  GITHUB: workload(['repository_id', 'repository_owner_id'], 'repository'),
  GITLAB: workload(['project_id', 'namespace_id'], 'project_path'),
  KUBERNETES: workload(['kubernetes.io.namespace', 'kubernetes.io.serviceaccount.name'], 'sub'),
};

/**
 * Claims of which every rule of these profiles must name one: names of repositories and projects can be
 * reused.
 */
export const requiredRuleClaims: Partial<Readonly<Record<ClaimProfile, readonly string[]>>> = {
  GITHUB: ['repository_id', 'repository_owner_id'],
  GITLAB: ['project_id', 'namespace_id'],
  KUBERNETES: ['kubernetes.io.namespace', 'kubernetes.io.serviceaccount.uid'],
};

/** Reads a token's claims by a profile. */
export function readFacts(profile: ClaimProfile, claims: Claims): ClaimFacts {
  const name = textsAt(claims, 'name')[0] ?? textsAt(claims, 'preferred_username')[0] ?? null;
  return {
    groups: [],
    scopes: [],
    entitlements: [],
    displayName: name,
    isWorkload: false,
    grants: [],
    faults: [],
    ...readers[profile](claims),
  };
}

function grantOf(value: unknown): readonly Grant[] {
  if (typeof value !== 'object' || value === null) return [];
  const { experiment, roles: stated } = value as { experiment?: unknown; roles?: unknown };
  if (typeof experiment !== 'string' || !Array.isArray(stated)) return [];
  return [{ experiment, roles: stated.filter((role): role is Role => roles.includes(role as Role)) }];
}

/** True for a token that a client got for itself: by client credentials, `sub` is the client. */
function isOwnClient(claims: Claims): boolean {
  const subject = claimAt(claims, 'sub');
  return subject !== undefined && ['client_id', 'azp'].some((name) => claimAt(claims, name) === subject);
}

function missing(claims: Claims, names: readonly string[]): string[] {
  return names.filter((name) => textsAt(claims, name).length === 0).map((name) => `${name}: is missing`);
}
