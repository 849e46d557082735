/** Parts of a diagnosis, as in the schema. */

/** Kinds of causes; of equal confidence, earlier ones come first. */
export const causeKinds = [
  'HELD',
  'PARENTS',
  'BACKOFF',
  'TASK_SUSPENDED',
  'LIMIT',
  'NO_WORKERS',
  'NO_MATCH',
  'DOWNTIME',
  'WORKER',
  'MEMORY',
  'WALLTIME',
  'DISK',
  'INPUT',
  'OUTPUT',
  'CREDENTIAL',
  'SOFTWARE',
  'CONTAINER',
  'PERMISSION',
  'NETWORK',
  'DEVICE',
  'LICENSE',
  'HOST',
  'SITE',
  'PROGRAM',
  'CAPACITY',
  'PROGRESS',
  'CANCELLED',
  'CLOSED',
  'UNKNOWN',
] as const;

/** One of {@link causeKinds}. */
export type CauseKind = (typeof causeKinds)[number];

/** Kind of evidence. */
export type EvidenceKind =
  | 'ERROR'
  | 'LOG_LINES'
  | 'PEERS'
  | 'HOST'
  | 'QUEUE'
  | 'DOWNTIME'
  | 'RULE'
  | 'METRICS'
  | 'CONSTRAINT'
  | 'JOB'
  | 'TRANSITION';

/** Object that evidence is about. */
export interface Target {
  readonly kind: 'JOB' | 'TASK' | 'QUEUE' | 'HOST' | 'SITE' | 'ERROR_CODE';
  readonly id: string;
  /** Queue of a host. */
  readonly queueName?: string;
}

/** Evidence of a cause. */
export interface Evidence {
  readonly kind: EvidenceKind;
  readonly text: string;
  readonly target?: Target;
  readonly count?: number;
  readonly since?: Date;
}

/** Possible cause. */
export interface Cause {
  readonly kind: CauseKind;
  readonly statement: string;
  /** 0 to 1. */
  readonly confidence: number;
  /** Fraction of counted failures that it explains; absent if none were counted for it. */
  readonly share?: number;
  readonly evidence: readonly Evidence[];
}

/** Kind of a change between a failed attempt and the next run. */
export type ChangeKind = 'MORE_MEMORY' | 'MORE_WALLTIME' | 'MORE_DISK' | 'OTHER_SITE' | 'OTHER_HOST' | 'NONE';

/** Change after which other jobs finished that had failed in the same way. */
export interface Help {
  readonly change: ChangeKind;
  readonly statement: string;
  readonly triedCount: number;
  readonly finishedCount: number;
  /** Jobs that finished, at most five. */
  readonly jobIds: readonly string[];
}

/** Action that may help. */
export interface Action {
  readonly title: string;
  /** Name of a mutation, with its variables; absent if a person must act outside of Rhizome. */
  readonly operation?: string;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly effect: string;
  readonly isUndoable: boolean;
}

/** Explanation of a state. */
export interface Diagnosis {
  readonly summary: string;
  readonly since: Date | null;
  readonly causes: readonly Cause[];
  readonly helped: readonly Help[];
  readonly actions: readonly Action[];
}
