/** Stored form of a host that is, or was lately, not healthy. */
import { createHash } from 'node:crypto';
import { baseFields, defineCollection } from '@rhizome/mongo';
import {
  hostKeyOf,
  type HostState,
  hostStates,
  type QueueHost,
} from '../../scheduler/cache/host-standing.types.js';

/** Ways in which an operator keeps a host in or out. */
export const hostPins = ['IN', 'OUT'] as const;
/** One of {@link hostPins}. */
export type HostPin = (typeof hostPins)[number];

/** Decision of an operator that the judgement of core does not change. */
export interface StoredHostPin {
  readonly to: HostPin;
  readonly by: string;
  readonly reason: string;
  readonly at: Date;
  /** End of the pin; null if it has none. */
  readonly until: Date | null;
}

/** An attempt that failed fast on a host. */
export interface WastedAttempt {
  readonly jobId: string;
  readonly attempt: number;
}

/** Jobs that are retried because a host failed them. */
export interface HostRetry {
  /** Unique: the operation that makes the copies carries it as its key. */
  readonly id: string;
  readonly at: Date;
  readonly jobs: readonly { readonly id: string; readonly experiment: string }[];
}

/** Failures because of which a host is not healthy. */
export interface HostEvidence {
  /** Jobs that failed fast, less twice the attempts that lasted. */
  readonly failures: number;
  /** Ids of such jobs, the latest first. */
  readonly jobs: readonly string[];
  readonly codes: readonly { readonly code: string; readonly count: number }[];
  readonly firstAt: Date;
  readonly lastAt: Date;
  /** Attempts of the same kinds of jobs that lasted on other hosts in that time. */
  readonly lastedElsewhere: number;
  /** Attempts of the same kinds of jobs that failed fast on other hosts, at most three of each host. */
  readonly failedElsewhere: number;
  /** The attempts themselves, while the host is SUSPECT: they are given back if it is excluded. */
  readonly attempts?: readonly WastedAttempt[];
  /** Kinds of jobs whose failures count; absent for the failure of a test. */
  readonly kinds?: readonly string[];
}

/** Most attempts of one host that wait to be given back. */
export const mostWasted = 500;

/** A host of a queue. */
export interface HostDocument extends QueueHost {
  /** `host_…`, from the names of the queue and the host. */
  readonly _id: string;
  readonly schemaVersion: number;
  /** Later than that of an earlier document of the same host, which the store has removed. */
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly site: string;
  /** HALF_OPEN is not stored: it is an exclusion whose time is over. */
  readonly state: Exclude<HostState, 'HALF_OPEN'>;
  readonly since: Date;
  /** End of the state; null if it has none. */
  readonly until: Date | null;
  readonly reason: string;
  /** Principal that decided, or `system:hosts`. */
  readonly by: string;
  /** Exclusions by core without a longer healthy time between them. */
  readonly exclusions: number;
  readonly pin: StoredHostPin | null;
  readonly evidence: HostEvidence | null;
  /** Position in the event stream of the latest failure that was taken into account; empty before. */
  readonly upTo: string;
  /** Attempts that were wasted on the host and are not given back yet; absent for none. */
  readonly wasted?: readonly WastedAttempt[];
  /** Jobs whose retry is not recorded yet. */
  readonly retry?: HostRetry;
  /** Time after which nothing about the host is kept; absent if its state has no end. */
  readonly expiresAt?: Date;
}

const text = { bsonType: 'string' };
const time = { bsonType: 'date' };
const timeOrNull = { bsonType: ['date', 'null'] };

/** Version of the stored form. */
export const hostSchemaVersion = 2;

/** Hosts that are not healthy. They are few, so processes hold them in memory. */
export const hostsCollection = defineCollection<HostDocument>({
  name: 'hosts',
  schemaVersion: hostSchemaVersion,
  validator: {
    required: [
      ...['revision', 'createdAt', 'updatedAt', 'queue', 'host', 'site', 'state', 'since', 'until'],
      ...['reason', 'by', 'exclusions', 'pin', 'evidence', 'upTo'],
    ],
    properties: {
      ...baseFields,
      queue: text,
      host: text,
      site: text,
      state: { enum: hostStates.filter((state) => state !== 'HALF_OPEN') },
      since: time,
      until: timeOrNull,
      reason: { bsonType: 'string', maxLength: 500 },
      by: text,
      exclusions: { bsonType: 'int', minimum: 0 },
      pin: { bsonType: ['object', 'null'] },
      evidence: { bsonType: ['object', 'null'] },
      upTo: text,
      wasted: { bsonType: 'array', maxItems: mostWasted },
      retry: { bsonType: 'object' },
      expiresAt: time,
    },
  },
  indexes: [
    {
      name: 'queue_host_uq',
      keys: { queue: 1, host: 1 },
      options: { unique: true },
      why: 'pages of hosts by queue and name',
    },
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'none: hosts are removed after a longer healthy time',
    },
  ],
});

/** Id of a host: the same in every process. */
export function hostIdOf(host: QueueHost): string {
  return `host_${createHash('sha256').update(hostKeyOf(host)).digest('hex').slice(0, 26)}`;
}
