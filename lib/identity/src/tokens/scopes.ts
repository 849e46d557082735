/** Down-scoping: the rights that a caller asks for, within those that it has. Pure. */
import { type Action, actionsOfRole, type Grant, isAction, type Role, roles } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';

/** Rights of a token. */
export interface Rights {
  readonly grants: readonly Grant[];
  /** Upper limit of the actions; all actions of the grants without one. */
  readonly actions?: readonly string[] | undefined;
}

/** Rights that a scope names. */
export interface RequestedScope {
  readonly rights: readonly { readonly experiment: string; readonly role: Role }[];
  readonly actions: readonly string[];
  readonly isOffline: boolean;
}

/** Scopes of OpenID Connect that clients send by habit. */
const ignored = new Set(['openid', 'profile', 'email']);

/**
 * Reads a scope: `<experiment>:<ROLE>` limits the roles, `<noun>:<verb>` limits the actions, `offline_access`
 * asks for a refresh token.
 * @throws DomainError BAD_REQUEST for another word
 */
export function readScope(text: string | null): RequestedScope {
  const rights: { experiment: string; role: Role }[] = [];
  const actions: string[] = [];
  let isOffline = false;
  for (const word of (text ?? '').split(' ').filter((one) => one !== '' && !ignored.has(one))) {
    const at = word.lastIndexOf(':');
    const name = word.slice(at + 1);
    if (word === 'offline_access') isOffline = true;
    else if (at > 0 && roles.includes(name as Role))
      rights.push({ experiment: word.slice(0, at), role: name as Role });
    else if (isAction(word)) actions.push(word);
    else throw unknownScope(word);
  }
  return { rights, actions, isOffline };
}

/**
 * The rights that are asked for and held. A role that includes another one may be narrowed to it. Without a
 * request, all rights stay.
 * @param onMissing called for a right that is not held
 */
export function narrow(
  held: Rights,
  asked: RequestedScope,
  onMissing: (word: string) => void = throwNotHeld,
): Rights {
  const found = new Map<string, Set<Role>>();
  for (const { experiment, role } of asked.rights) {
    if (!holds(held.grants, experiment, role)) {
      onMissing(`${experiment}:${role}`);
      continue;
    }
    found.set(experiment, (found.get(experiment) ?? new Set()).add(role));
  }
  const grants =
    asked.rights.length === 0
      ? held.grants
      : [...found].map(([experiment, set]) => ({ experiment, roles: [...set].sort() }));
  const { actions: limit } = held;
  const named = asked.actions.filter((action) => {
    if (!limit || limit.includes(action)) return true;
    onMissing(action);
    return false;
  });
  const actions = asked.actions.length > 0 ? named : limit;
  return { grants, ...(actions && { actions }) };
}

/** The scope of an answer. */
export function scopeText({ grants, actions = [] }: Rights): string {
  const rights = grants.flatMap(({ experiment, roles: given }) =>
    given.map((role) => `${experiment}:${role}`),
  );
  return [...rights, ...actions].join(' ');
}

function holds(grants: readonly Grant[], experiment: string, role: Role): boolean {
  const own = grants.filter((grant) => grant.experiment === experiment || grant.experiment === '*');
  const given = own.flatMap((grant) => grant.roles);
  if (given.includes(role)) return true;
  // A pilot's role is no part of an administrator's that could be split off.
  if (role === 'PILOT' || role === 'SERVICE') return false;
  const actions = new Set<Action>(given.flatMap((one) => actionsOfRole(one)));
  return given.length > 0 && actionsOfRole(role).every((action) => actions.has(action));
}

function unknownScope(word: string): DomainError {
  const text = `scope: ${JSON.stringify(word.slice(0, 100))} is not valid; must be <experiment>:<ROLE>, <noun>:<verb> or offline_access`;
  return new DomainError('BAD_REQUEST', text, { field: 'scope', value: word.slice(0, 100) });
}

function throwNotHeld(word: string): never {
  throw new DomainError('FORBIDDEN', `scope: "${word}" is more than the subject token gives`);
}
