/**
 * Clients that watch jobs with the resumable stream across all failures, and remember what they received, by
 * job.
 */
import type { ApiClient, TypedDocumentNode } from '@rhizome/client';
import { parse } from 'graphql';

/** One message of the stream. */
export interface WatchedEvent {
  readonly jobStateChanged: {
    readonly cursor: string;
    readonly event: {
      readonly job: { readonly id: string };
      readonly previousState: string | null;
      readonly state: string;
      readonly revision: number;
      readonly coalescedCount: number;
    } | null;
  };
}

/** The subscription. */
export const watchDocument = parse(/* GraphQL */ `
  subscription Watch($filter: JobFilter, $after: String, $mode: JobEventMode) {
    jobStateChanged(filter: $filter, after: $after, mode: $mode) {
      cursor
      event {
        job {
          id
        }
        previousState
        state
        revision
        coalescedCount
      }
    }
  }
`) as TypedDocumentNode<WatchedEvent, object>;

/** Scope of a client. */
export interface WatchPlan {
  readonly name: string;
  readonly filter: Readonly<Record<string, unknown>>;
  /** Jobs whose events it must receive. */
  readonly covers: (job: { readonly id: string; readonly taskId?: string | undefined }) => boolean;
  readonly mode?: 'EVERY' | 'LATEST';
}

/** Steps of jobs as text, each text once in memory: there are few different ones, and very many of each. */
const steps = new Map<string, string>();

/** One change of a job as text; `null` before is the submit. */
export function step(revision: number, from: string | null, to: string): string {
  const text = `${revision} ${from ?? 'new'} → ${to}`;
  const known = steps.get(text);
  if (known !== undefined) return known;
  steps.set(text, text);
  return text;
}

/** Events that one client received. */
export class Received {
  /** The steps of each job, in the order in which they came. */
  readonly byJob = new Map<string, string[]>();
  /** In mode LATEST: steps that were left out, by job. */
  readonly leftOut = new Map<string, number>();
  count = 0;
  cursor: string | undefined;

  /** Takes one message in. */
  record({ jobStateChanged }: WatchedEvent): void {
    const { cursor, event } = jobStateChanged;
    this.cursor = cursor;
    if (!event) return;
    const { job, previousState, state, revision, coalescedCount } = event;
    this.count += 1;
    const text = step(revision, previousState, state);
    const known = this.byJob.get(job.id);
    if (known) known.push(text);
    else this.byJob.set(job.id, [text]);
    this.leftOut.set(job.id, (this.leftOut.get(job.id) ?? 0) + coalescedCount);
  }
}

/** A client that watches. */
export interface Watcher {
  readonly plan: WatchPlan;
  readonly received: Received;
  /** Codes of the errors for which it came back. */
  readonly comebacks: readonly string[];
  /** Rejects when the stream has failed for good. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** Begins to watch after a cursor. */
export function watch(client: ApiClient, plan: WatchPlan, after: string): Watcher {
  const received = new Received();
  const comebacks: string[] = [];
  const stream = client.subscribeResumable(
    watchDocument,
    { filter: plan.filter, after, mode: plan.mode ?? 'EVERY' },
    {
      cursorOf: ({ jobStateChanged }) => jobStateChanged.cursor,
      onReconnect: ({ error }) => comebacks.push(error.code),
    },
  );
  const ended = (async () => {
    for await (const event of stream) received.record(event);
  })();
  ended.catch(() => undefined);
  const stop = async (): Promise<void> => void (await stream.return?.());
  return { plan, received, comebacks, ended, stop };
}
