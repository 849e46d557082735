/** Forms of values in claims. */
import { DomainError } from '@rhizome/errors';
import { z } from 'zod';
import { type Role, roles } from './actions.js';

/**
 * Text that identifies somebody: without control characters, line separators and invisible or
 * direction-changing characters, which would let one name look like another one.
 */
export const name = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text), {
    message: 'contains a control or invisible character',
  });

/** Maximum number of groups of one principal: their ids fit into a call token next to its other claims. */
export const maxGroups = 100;

/** Maximum number of linked identities of one person. */
export const maxIdentities = 10;

/** Roles in an experiment, in tokens and answers. */
export const grant = z.object({
  experiment: z.string().min(1).max(100),
  roles: z.array(z.enum(roles)).max(roles.length),
});

/** Seconds since 1970 up to the year 9999; a JavaScript date holds them. */
export const numericDate = z.number().min(0).max(253_402_300_799);

/** Roles in one experiment. */
interface HeldRoles {
  readonly experiment: string;
  readonly roles: readonly Role[];
}

/** Experiments by their roles, which are joined by blanks: `{"USER READER": ["heron", "egret"]}`. */
export type CompactGrants = Readonly<Record<string, readonly string[]>>;

/**
 * Longest token that is issued, in characters: servers accept headers of 16 KiB in all, and a request has
 * others.
 */
export const maxIssuedTokenLength = 12 * 1024;

/** Largest list of grants that is written as it is, in characters, so that any program can read it. */
const plainLength = 2048;

/** The claim in either form. */
export const grantsClaim = z.preprocess(expandGrants, z.array(grant).max(1000));

/** The claim for grants. Experiments with equal roles share an entry if the list would be long. */
export function writeGrants(grants: readonly HeldRoles[]): readonly HeldRoles[] | CompactGrants {
  return JSON.stringify(grants).length <= plainLength ? grants : compactGrants(grants);
}

/** The same rights with one name for each experiment. */
export function compactGrants(grants: readonly HeldRoles[]): CompactGrants {
  const held = new Map<string, Set<Role>>();
  for (const { experiment, roles: given } of grants) {
    const all = held.get(experiment) ?? new Set();
    for (const role of given) all.add(role);
    held.set(experiment, all);
  }
  const byRoles = new Map<string, string[]>();
  for (const [experiment, has] of held) {
    const key = roles.filter((role) => has.has(role)).join(' ');
    byRoles.set(key, [...(byRoles.get(key) ?? []), experiment]);
  }
  return Object.fromEntries(byRoles);
}

/** The list of grants that a compact claim stands for, which nobody has checked; any other value as it is. */
export function expandGrants(claim: unknown): unknown {
  if (typeof claim !== 'object' || claim === null || Array.isArray(claim)) return claim;
  return Object.entries(claim as Record<string, unknown>).flatMap(([key, experiments]) => {
    const given = key === '' ? [] : key.split(' ');
    const named: readonly unknown[] = Array.isArray(experiments) ? experiments : [experiments];
    return named.map((experiment) => ({ experiment, roles: given }));
  });
}

/**
 * The token, if it fits into the headers of a request.
 * @throws DomainError BAD_REQUEST that says what to do
 */
export function assertFits(token: string): string {
  if (token.length <= maxIssuedTokenLength) return token;
  const text = `The rights make a token of ${token.length} characters; must be at most ${maxIssuedTokenLength}, to fit into a request: log in or exchange it with fewer rights, by a scope such as heron:READER`;
  throw new DomainError('BAD_REQUEST', text, { field: 'scope', value: token.length });
}
