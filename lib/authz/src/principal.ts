import type { Role } from './actions.js';

/**
 * Kinds of principals: a person, an experiment's service, a worker agent, or software acting for a person.
 */
export const principalKinds = ['HUMAN', 'SERVICE', 'PILOT', 'AGENT'] as const;

/** One of {@link principalKinds}. */
export type PrincipalKind = (typeof principalKinds)[number];

/** Roles of a principal in one experiment, or in all of them by `*`. */
export interface Grant {
  readonly experiment: string;
  readonly roles: readonly Role[];
}

/** A verified identity. Made by a verifier, or by {@link createPrincipal} where there is no token. */
export interface Principal {
  readonly kind: PrincipalKind;
  /** The token's `sub`: a person, `pilot:<queue>` or `experiment:<name>`. */
  readonly subject: string;
  /** The human an agent acts for. */
  readonly actsFor?: string | undefined;
  readonly grants: readonly Grant[];
  /** From here on the principal is nobody; long streams end with TOKEN_EXPIRED. */
  readonly expiresAt: Date;
  /** The queue a pilot works for, from its subject. */
  readonly queue?: string | undefined;
  /** The experiment a service belongs to, from its subject. */
  readonly service?: string | undefined;
  /** The bearer token as it came, for forwarding only: not enumerable, so that no log or copy carries it. */
  readonly token?: string | undefined;
}

/** Input of {@link createPrincipal}; `queue` and `service` follow from the subject. */
export interface PrincipalInit {
  readonly kind: PrincipalKind;
  readonly subject: string;
  readonly grants: readonly Grant[];
  readonly expiresAt: Date;
  readonly actsFor?: string | undefined;
  readonly token?: string | undefined;
}

/**
 * Makes a frozen principal; the queue of a pilot and the experiment of a service are read from the subject.
 */
export function createPrincipal(init: PrincipalInit): Principal {
  const { kind, subject, actsFor, expiresAt, token } = init;
  const principal: Principal = {
    kind,
    subject,
    ...(actsFor === undefined ? {} : { actsFor }),
    grants: init.grants.map(({ experiment, roles }) => Object.freeze({ experiment, roles: [...roles] })),
    expiresAt,
    ...derived(kind, subject),
  };
  if (token !== undefined) Object.defineProperty(principal, 'token', { value: token, enumerable: false });
  return Object.freeze(principal);
}

function derived(kind: PrincipalKind, subject: string): Pick<Principal, 'queue' | 'service'> {
  const name = subject.slice(subject.indexOf(':') + 1);
  if (kind === 'PILOT' && subject.startsWith('pilot:')) return { queue: name };
  if (kind === 'SERVICE' && subject.startsWith('experiment:')) return { service: name };
  return {};
}
