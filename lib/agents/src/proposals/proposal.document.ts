/** Stored proposals: a frozen operation, what it concerns, who proposed it, the decision and the outcome. */
import type { Principal } from '@rhizome/authz';
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Statuses of a proposal; those after EXECUTING are terminal. */
export const proposalStatuses = [
  ...['PROPOSED', 'EXECUTING', 'DONE', 'FAILED'],
  ...['DENIED', 'WITHDRAWN', 'EXPIRED', 'STALE'],
] as readonly ProposalStatus[];

/** Status of a proposal. */
export type ProposalStatus =
  'PROPOSED' | 'EXECUTING' | 'DONE' | 'FAILED' | 'DENIED' | 'WITHDRAWN' | 'EXPIRED' | 'STALE';

/** Consequences of a wrong decision. */
export type Stakes = 'UNDOABLE' | 'MITIGABLE' | 'IRREVERSIBLE';

/**
 * Reason why a repeated call changes nothing: its idempotency key, or because it sets a state. A call of the
 * second kind is not repeated once it was sent: somebody may have set another state in between.
 */
export type Repeatable = 'BY_KEY' | 'BY_STATE';

/** An object that a change concerns, in the version that the proposer saw. */
export interface StoredTarget {
  readonly type: string;
  readonly id: string;
  readonly name: string | null;
  readonly state: string;
  /** Attempt of a job; null for other objects. */
  readonly attempt: number | null;
}

/** Effects of a change, as found when it was proposed. */
export interface StoredPreview {
  readonly targetCount: number | null;
  readonly coreHours: number | null;
  readonly gpuHours: number | null;
  readonly refusedCount: number;
  readonly isDryRun: boolean;
  /** JSON text of the answer to the dry run; null without one, or if it is too large. */
  readonly dryRun: string | null;
}

/** The principal as which a mutation runs, without its token; it is limited to the rights of then. */
export type StoredCaller = Pick<Principal, 'kind' | 'subject' | 'grants'> &
  Partial<
    Pick<
      Principal,
      | 'boundedBy'
      | 'actions'
      | 'issuer'
      | 'tokenId'
      | 'tokenKind'
      | 'issuedAt'
      | 'elevation'
      | 'groups'
      | 'linked'
    >
  >;

/** A decision of a person. */
export interface StoredDecision {
  readonly isApproval: boolean;
  readonly by: string;
  readonly at: Date;
  readonly note: string | null;
  /** Mandate by which the person approved in advance; absent from a decision about this proposal alone. */
  readonly mandate?: string;
}

/** The run of an approved mutation. */
export interface StoredExecution {
  readonly caller: StoredCaller;
  /** Identifier of the gateway's try; another gateway that takes it over has another. */
  readonly run: string;
  readonly leaseUntil: Date;
  /** Number of tries, from 1. */
  readonly tries: number;
  /** Time of the last try that was about to send the mutation; absent if it was never sent. */
  readonly sentAt?: Date;
}

/** Result of an approved mutation. */
export interface StoredOutcome {
  readonly at: Date;
  /** JSON text; null if there is none, or if it is too large. */
  readonly data: string | null;
  readonly errors: readonly { readonly code: string | null; readonly message: string }[];
  readonly isUnknown: boolean;
}

/** A proposal. */
export interface ProposalDocument {
  /** `proposal_…`; the idempotency key of the mutation. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** `pr-…`, for people. */
  readonly ref: string;
  readonly status: ProposalStatus;
  readonly mutation: string;
  readonly operation: string;
  /** JSON text, since names of a JSON value may have characters that names of stored fields may not have. */
  readonly variables: string;
  readonly operationHash: string;
  /** Digest of the person and the change, equal for equal changes. */
  readonly requestHash: string;
  /** Digest of the request and its targets; absent from a terminal proposal. */
  readonly openKey?: string;
  readonly stakes: Stakes;
  readonly repeatable: Repeatable;
  readonly reason: string;
  readonly evidence: readonly { readonly text: string; readonly url: string | null }[];
  readonly targets: readonly StoredTarget[];
  readonly preview: StoredPreview;
  /** Subject of the agent; null for a proposal of a person. */
  readonly agent: string | null;
  readonly person: string;
  readonly experiment: string | null;
  readonly isFourEyes: boolean;
  readonly expiresAt: Date;
  readonly decision: StoredDecision | null;
  readonly execution: StoredExecution | null;
  readonly outcome: StoredOutcome | null;
  /** Time at which the record is removed. */
  readonly removeAt: Date;
}

/** A proposal in a list, without what may be large. */
export type ListedProposal = Omit<ProposalDocument, 'variables' | 'targets'> &
  Partial<Pick<ProposalDocument, 'variables' | 'targets'>>;

const text = { bsonType: 'string' };
const textOrNull = { bsonType: ['string', 'null'] };
const date = { bsonType: 'date' };
const objectOrNull = { bsonType: ['object', 'null'] };
const list = { bsonType: 'array' };

/** Proposals. */
export const proposalsCollection = defineCollection<ProposalDocument>({
  name: 'proposals',
  schemaVersion: 1,
  validator: {
    required: [
      ...['revision', 'createdAt', 'updatedAt', 'ref', 'status', 'mutation', 'operation', 'variables'],
      ...['operationHash', 'requestHash', 'stakes', 'repeatable', 'reason', 'evidence', 'targets', 'preview'],
      ...['agent', 'person', 'experiment', 'isFourEyes', 'expiresAt', 'decision', 'execution', 'outcome'],
      ...['removeAt'],
    ],
    properties: {
      ...baseFields,
      ref: text,
      status: { enum: [...proposalStatuses] },
      mutation: text,
      operation: text,
      variables: text,
      operationHash: text,
      requestHash: text,
      openKey: text,
      stakes: { enum: ['UNDOABLE', 'MITIGABLE', 'IRREVERSIBLE'] },
      repeatable: { enum: ['BY_KEY', 'BY_STATE'] },
      reason: text,
      evidence: { ...list, maxItems: 10 },
      targets: { ...list, maxItems: 1000 },
      preview: { bsonType: 'object' },
      agent: textOrNull,
      person: text,
      experiment: textOrNull,
      isFourEyes: { bsonType: 'bool' },
      expiresAt: date,
      decision: objectOrNull,
      execution: objectOrNull,
      outcome: objectOrNull,
      removeAt: date,
    },
  },
  indexes: [
    { name: 'ref_uq', keys: { ref: 1 }, options: { unique: true }, why: 'a proposal by its short name' },
    {
      name: 'openKey_uq',
      keys: { openKey: 1 },
      options: { unique: true, partialFilterExpression: { openKey: { $exists: true } } },
      why: 'a change is proposed once at a time, also by concurrent calls',
    },
    {
      name: 'requestHash_status_idx',
      keys: { requestHash: 1, status: 1 },
      why: 'denials of the same change',
    },
    {
      name: 'person_createdAt_idx',
      keys: { person: 1, createdAt: -1 },
      why: 'the proposals of a person and of its agents, and how many of them are open',
    },
    {
      name: 'experiment_createdAt_idx',
      keys: { experiment: 1, createdAt: -1 },
      why: 'the proposals of an experiment',
    },
    { name: 'agent_createdAt_idx', keys: { agent: 1, createdAt: -1 }, why: 'the proposals of an agent' },
    { name: 'createdAt_idx', keys: { createdAt: -1 }, why: 'all proposals, the newest first' },
    {
      name: 'status_expiresAt_idx',
      keys: { status: 1, expiresAt: 1 },
      why: 'proposals that nobody decided in time, and those that run',
    },
    {
      name: 'removeAt_ttl',
      keys: { removeAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes old proposals',
    },
  ],
});
