/** Resolvers of the audit log: unpack, call, map. */
import type { OpenedAudit } from '@rhizome/audit';
import { experimentsFor, type Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { connection } from '@rhizome/subgraph';
import { experimentOrNull, principalOf, principalOrNull, workerOrNull } from '../../references.js';
import type { Resolvers } from '../../types.generated.js';

/** Options of {@link auditResolvers}. */
export interface AuditGraphOptions {
  /** Undefined in a gateway without an audit log. */
  readonly audit?: (() => Pick<OpenedAudit, 'repository'> | undefined) | undefined;
}

type AuditResolvers = Pick<
  Resolvers,
  'Query' | 'AuditEntry' | 'AuditActor' | 'AuditTargets' | 'AuditClient' | 'AuditEntryConnection'
>;

/** Resolvers on the audit log of the gateway. */
export function auditResolvers(parts: AuditGraphOptions): AuditResolvers {
  const entries = (): OpenedAudit['repository'] => open(parts).repository;
  return {
    Query: {
      auditEntries: (_parent, { filter, first, after }, { principal }) =>
        entries().page(filter ?? {}, experimentsFor(principal, 'audit:read'), { first: first ?? 50, after }),
      auditEntry: (_parent, { id }, { principal }) =>
        entries().entry(id, experimentsFor(principal, 'audit:read')),
    },
    AuditEntry: {
      id: ({ _id }) => _id,
      actor: ({ actor }) => actor ?? null,
      experiment: ({ experiment }) => experimentOrNull(experiment),
      experimentName: ({ experiment }) => experiment,
      repeatCount: ({ repeats }) => repeats,
      result: ({ outcome }) => outcome?.result ?? 'UNKNOWN',
      codes: ({ outcome }) => outcome?.codes ?? [],
      endedAt: ({ outcome }) => outcome?.at ?? null,
      sequence: ({ link }) => link.sequence,
      record: (entry) => JSON.stringify(entry),
    },
    AuditActor: {
      principal: ({ subject }) => principalOf(subject),
      human: ({ human }) => principalOrNull(human),
      worker: ({ worker }) => workerOrNull(worker),
      workerId: ({ worker }) => worker,
    },
    AuditEntryConnection: connection,
  };
}

function open({ audit }: AuditGraphOptions): Pick<OpenedAudit, 'repository'> {
  const found = audit?.();
  if (found) return found;
  throw new DomainError(
    'SERVICE_UNAVAILABLE',
    'The gateway has no audit log; start it with a database for one',
  );
}

/** Policies of the fields; the log is narrowed to the experiments in which the caller may read it. */
export const auditPolicies: Policies = {
  'Query.auditEntries': { action: 'audit:read' },
  'Query.auditEntry': { action: 'audit:read' },
};
