import { DomainError } from '@rhizome/errors';

/** Roles of a principal in an experiment. A role is a set of actions, see `roleActions`. */
export const roles = ['ADMIN', 'OPERATOR', 'PRODUCTION', 'USER', 'READER', 'PILOT', 'SERVICE'] as const;

/** One of {@link roles}. */
export type Role = (typeof roles)[number];

/**
 * The closed list of what can be allowed in core, as `noun:verb`. Experiments add theirs by {@link
 * defineActions}.
 */
export const coreActions = [
  'job:read',
  'job:submit',
  'job:cancel',
  'job:retry',
  'job:hold',
  'job:setPriority',
  /** Acts on jobs, tasks and pools of other owners; without it the verbs above reach one's own only. */
  'job:manageAny',
  /** Gives others access to one's own jobs, and ends it. */
  'job:grantAccess',
  /** Submits jobs and tasks that belong to somebody else, who asked for them. */
  'job:submitFor',
  'task:read',
  'task:submit',
  /** Reads pools of work units, and their units. */
  'pool:read',
  /** Creates pools, publishes work units to one's own, and resubmits their dead letters. */
  'pool:publish',
  /** Closes one's own pools. */
  'pool:close',
  /** Writes and enables policies: of one's tasks; of a queue with `queue:update` in addition. */
  'policy:set',
  /** Writes and enables the policy of an experiment. */
  'policy:manage',
  'queue:read',
  'queue:create',
  'queue:update',
  'queue:setState',
  'worker:read',
  'worker:register',
  'worker:heartbeat',
  'worker:drain',
  'job:acquire',
  'job:report',
  'jobLog:append',
  'experiment:read',
  'experiment:register',
  'experiment:update',
  'share:read',
  'share:set',
  'events:read',
  /** Reads a subgraph's SDL, and where it is reached. */
  'subgraph:read',
  /** Says where a subgraph is reached: callers' tokens go there. */
  'subgraph:register',
  /** Reads the schema history and its usage by clients. */
  'schema:read',
  'schema:check',
  /** Makes a subgraph's schema live, or an earlier one again. */
  'schema:publish',
  /** Sees by which plan, and in what time, the gateway ran one's own operations. */
  'operation:trace',
  /** Reads the metrics of a gateway; no `:read`, which agents keep. */
  'metrics:scrape',
  /** Reads the state of the service itself, such as the lease clock and the gateways. */
  'service:read',
  /** Reads issuers, mapping rules, principals and revocations. */
  'identity:read',
  /** Changes an issuer, and which claims of its tokens give which rights. */
  'issuer:set',
  /** Gives a principal roles in an experiment. */
  'membership:set',
  /** Invites workers, and decides about their enrolments. */
  'worker:enrol',
  /** Asks how many pilots a queue needs, and records those that an executor starts. */
  'pilot:request',
  /** Revokes tokens of others, and rotates the keys that sign them. */
  'token:revoke',
  /** Reads the audit log. */
  'audit:read',
  /** Stores, replaces and deletes one's own secrets. Not `:read`, which agents keep. */
  'secret:set',
  /** Stores, replaces and deletes the secrets of an experiment. */
  'secret:manage',
  /** Uses the secrets of an experiment in jobs, and sees their names. */
  'secret:use',
  /** Receives the secrets of an attempt; needs the credential of the worker that holds it. */
  'secret:redeem',
  /** Reads the storages of an experiment, without their credentials. */
  'storage:read',
  /** Creates, changes and removes storages; only in all experiments. */
  'storage:manage',
  /** Reads datasets and the records of their files. */
  'dataset:read',
  /** Creates, fills, closes and removes one's own datasets. */
  'dataset:write',
  /** Reads the proposals of an experiment; everybody reads the own ones. */
  'proposal:read',
  /** Approves and denies the proposals of others, with the rights that the caller has itself. */
  'proposal:decide',
  /** Everything without a narrower action. */
  'admin:*',
] as const;

/** An action of core. */
export type CoreAction = (typeof coreActions)[number];

declare const experimentAction: unique symbol;

/** An action that an experiment has defined; only {@link defineActions} makes one. */
export type ExperimentAction = string & { readonly [experimentAction]: true };

/** Everything a policy may ask for. */
export type Action = CoreAction | ExperimentAction;

const readers: readonly CoreAction[] = [
  'job:read',
  'task:read',
  'pool:read',
  'queue:read',
  'worker:read',
  'experiment:read',
  'share:read',
  'storage:read',
  'dataset:read',
  'events:read',
  'schema:read',
];
const submitters: readonly CoreAction[] = [
  ...readers,
  'job:submit',
  'job:cancel',
  'job:retry',
  'job:hold',
  'job:grantAccess',
  'task:submit',
  'pool:publish',
  'pool:close',
  'policy:set',
  'secret:set',
  'dataset:write',
];

const roleTable: Readonly<Record<Role, readonly CoreAction[]>> = {
  ADMIN: coreActions,
  OPERATOR: [
    ...readers,
    'job:cancel',
    'job:hold',
    'job:setPriority',
    'job:manageAny',
    'job:grantAccess',
    'pool:close',
    'policy:set',
    'queue:create',
    'queue:update',
    'queue:setState',
    'worker:drain',
    'worker:enrol',
    'pilot:request',
    'storage:manage',
    'operation:trace',
    'metrics:scrape',
    'service:read',
    'subgraph:read',
    'schema:check',
    'audit:read',
    'proposal:read',
    'proposal:decide',
  ],
  PRODUCTION: [
    ...submitters,
    'job:setPriority',
    'job:manageAny',
    'policy:manage',
    'secret:manage',
    'secret:use',
    'proposal:read',
    'proposal:decide',
  ],
  USER: submitters,
  READER: readers,
  PILOT: [
    'job:read',
    'queue:read',
    'worker:read',
    'worker:register',
    'worker:heartbeat',
    'worker:drain',
    'job:acquire',
    'job:report',
    'jobLog:append',
    'secret:redeem',
  ],
  SERVICE: [
    ...submitters,
    'subgraph:read',
    'schema:check',
    'schema:publish',
    'job:setPriority',
    'job:submitFor',
    'secret:use',
  ],
};

const extensionTable = new Map<string, ReadonlySet<Role>>();
let registryVersion = 0;

const actionPattern = /^[a-z][A-Za-z0-9]*:[a-z][A-Za-z0-9]*$/;

/**
 * Adds an experiment's own actions to the closed list. Every noun starts with the experiment's name, so that
 * two experiments never mean different things by one word; ADMIN always has them.
 *
 * @param experiment name of the experiment, as in its manifest
 * @param definitions each action with the roles that include it
 * @returns the actions by name, for policies; the same definition twice is harmless
 * @throws DomainError CONFIG_INVALID when a name is malformed or an action is already defined otherwise
 */
export function defineActions<TName extends string>(
  experiment: string,
  definitions: Readonly<Record<TName, readonly Role[]>>,
): Readonly<Record<TName, Action>> {
  const defined: Partial<Record<TName, Action>> = {};
  for (const [name, allowed] of Object.entries<readonly Role[]>(definitions) as [TName, readonly Role[]][]) {
    if (!actionPattern.test(name) || !name.startsWith(experiment)) {
      throw new DomainError(
        'CONFIG_INVALID',
        `Action "${name}" must be noun:verb, and its noun must start with "${experiment}"`,
        { field: 'actions', value: name, expected: `${experiment}<Noun>:<verb>` },
      );
    }
    register(name, new Set<Role>(['ADMIN', ...allowed]));
    defined[name] = name as unknown as Action;
  }
  return Object.freeze(defined) as Readonly<Record<TName, Action>>;
}

function register(name: string, allowed: ReadonlySet<Role>): void {
  const known = extensionTable.get(name);
  if (!known) {
    extensionTable.set(name, allowed);
    registryVersion += 1;
    return;
  }
  if (known.size !== allowed.size || [...known].some((role) => !allowed.has(role))) {
    throw new DomainError('CONFIG_INVALID', `Action "${name}" is already defined with other roles`, {
      field: 'actions',
      value: name,
      expected: [...known].sort().join(', '),
    });
  }
}

/**
 * Number that increases whenever an action is defined, so that values derived from the list can be
 * recomputed.
 */
export function actionsVersion(): number {
  return registryVersion;
}

/** Returns true for actions in the closed list, core's or an experiment's. */
export function isAction(name: string): name is Action {
  return (coreActions as readonly string[]).includes(name) || extensionTable.has(name);
}

/** All actions that a role includes, core's and the experiments'. */
export function actionsOfRole(role: Role): readonly Action[] {
  const extensions = [...extensionTable].filter(([, allowed]) => allowed.has(role));
  return [...roleTable[role], ...extensions.map(([name]) => name as Action)];
}
