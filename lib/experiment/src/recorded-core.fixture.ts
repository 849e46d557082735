/**
 * For tests: the part of core that experiments speak to, served over HTTP and WebSocket, answering from what
 * a test has recorded.
 */
import { createClient, type ApiClient } from '@rhizome/client';
import { DomainError } from '@rhizome/errors';
import { silentLogger } from '@rhizome/log';
import { buildSubgraph, type ServedSubgraph, serveSubgraph } from '@rhizome/subgraph';
import { leftovers, testTokens, type TestTokens } from '@rhizome/testkit';
import { parse } from 'graphql';
import type { InputFault } from './index.js';
import type { JobState, SubmitTaskInput } from './operations.generated.js';

const typeDefs = parse(/* GraphQL */ `
  scalar SubmitTaskInput
  type Query {
    task(id: ID!): Task
    jobs(filter: JobFilter, first: Int): JobConnection!
  }
  type Mutation {
    submitTask(input: SubmitTaskInput!): SubmitTaskPayload!
  }
  type Subscription {
    jobStateChanged(filter: JobFilter, after: String): JobStateChanged!
  }
  input JobFilter {
    experiments: [String!]
    states: [JobState!]
    labels: [LabelInput!]
  }
  input LabelInput {
    key: String!
    value: String!
  }
  type SubmitTaskPayload {
    task: Task
    userErrors: [Fault!]!
  }
  type Fault {
    message: String!
    path: [String!]!
    code: String!
  }
  type Task {
    id: ID!
    jobs(first: Int, after: String): JobConnection!
  }
  type JobConnection {
    nodes: [Job!]!
    pageInfo: PageInfo!
  }
  type PageInfo {
    hasNextPage: Boolean!
    endCursor: String
  }
  type Job {
    id: ID!
    owner: String!
    taskIndex: Int
    revision: Int!
    state: JobState!
    task: Task
    workflowId: ID
    labels: [Label!]!
  }
  type Label {
    key: String!
    value: String!
  }
  type JobStateChanged {
    cursor: String!
    event: JobStateEvent
  }
  type JobStateEvent {
    state: JobState!
    revision: Int!
    job: Job!
  }
  enum JobState {
    PENDING
    ACTIVATED
    THROTTLED
    SENT
    STARTING
    RUNNING
    HOLDING
    TRANSFERRING
    FINISHED
    FAILED
    CANCELLED
    CLOSED
  }
`);

/** A job in an event. */
export interface RecordedJob {
  readonly id: string;
  readonly taskId: string;
  readonly taskIndex: number;
  readonly state: JobState;
  readonly revision: number;
  /** Value of the label `alpha-probe`. */
  readonly probe?: string;
  /** Reading its labels fails: for now, or permanently. */
  readonly isBroken?: 'now' | 'for good';
}

export class RecordedCore {
  /** Tasks by key. */
  readonly tasks = new Map<string, { readonly id: string; readonly input: SubmitTaskInput }>();
  /** The event log; the cursor of an event is its position from 1. */
  readonly events: RecordedJob[] = [];
  /** Jobs as queries return them. */
  jobs: RecordedJob[] = [];
  /** Cursors up to this one are expired. */
  floor = 0;
  /** User errors with which `submitTask` rejects every call. */
  refusals: readonly InputFault[] = [];
  /** True if the caller may not call `submitTask`. */
  isForbidden = false;
  /** Number of next calls of `submitTask` that fail. */
  failures = 0;
  /** Name of the task that cannot be submitted now. */
  unavailable: string | undefined;
  /** Calls of `submitTask`. */
  calls = 0;
  /** Where streams were opened; null for those from the present. */
  readonly opened: (string | null)[] = [];
  #wake: (() => void)[] = [];

  /** Adds an event. */
  addEvents(...jobs: readonly RecordedJob[]): void {
    this.events.push(...jobs);
    for (const wake of this.#wake.splice(0)) wake();
  }

  submit(input: SubmitTaskInput) {
    this.calls += 1;
    if (this.isForbidden) throw new DomainError('FORBIDDEN', 'job:submit in "probe" is missing');
    if (input.name === this.unavailable) throw new DomainError('SERVICE_UNAVAILABLE', 'not this one');
    if (this.failures > 0) {
      this.failures -= 1;
      throw new DomainError('SERVICE_UNAVAILABLE', 'not now');
    }
    if (this.refusals.length > 0) return { task: null, userErrors: this.refusals };
    const known = this.tasks.get(input.idempotencyKey);
    if (known && JSON.stringify(known.input) !== JSON.stringify(input)) {
      return {
        task: null,
        userErrors: [{ message: 'reused', path: ['idempotencyKey'], code: 'IDEMPOTENCY_KEY_REUSED' }],
      };
    }
    const task = known ?? { id: `task_${this.tasks.size + 1}`, input };
    this.tasks.set(input.idempotencyKey, task);
    return { task: { id: task.id }, userErrors: [] };
  }

  async *follow(after: string | null, signal: AbortSignal | undefined) {
    this.opened.push(after);
    let at = after === null ? this.events.length : Number(after);
    if (after !== null && at < this.floor) throw new DomainError('CURSOR_EXPIRED', 'too old');
    if (after === null) yield { cursor: String(at), event: null };
    while (!signal?.aborted) {
      const job = this.events[at];
      if (job) {
        at += 1;
        yield { cursor: String(at), event: { state: job.state, revision: job.revision, job } };
      } else {
        await new Promise<void>((resolve) => {
          this.#wake.push(resolve);
          signal?.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    }
  }
}

/** A served one, to be stopped and started again. */
export interface RecordedSystem {
  readonly core: RecordedCore;
  readonly client: ApiClient;
  readonly tokens: TestTokens;
  /** Ends the server and starts it again on the same port. */
  restart(): Promise<void>;
}

/** Serves it; ended with the file. */
export async function serveRecordedCore(): Promise<RecordedSystem> {
  const core = new RecordedCore();
  const tokens = await testTokens();
  const open = 'a test';
  const subgraph = buildSubgraph({
    name: 'core',
    typeDefs,
    resolvers: {
      Query: {
        task: (_parent: unknown, { id }: { id: string }) => ({ id }),
        jobs: (_parent: unknown, { filter }: { filter: { labels: readonly { value: string }[] } }) => {
          const found = core.tasks.get(filter.labels[0]?.value ?? '');
          return { nodes: found ? [{ taskId: found.id }] : [] };
        },
      },
      Mutation: {
        submitTask: (_parent: unknown, { input }: { input: SubmitTaskInput }) => core.submit(input),
      },
      Subscription: {
        jobStateChanged: {
          subscribe: (
            _parent: unknown,
            { after }: { after?: string | null },
            { signal }: { signal?: AbortSignal },
          ) => core.follow(after ?? null, signal),
          resolve: (event: unknown) => event,
        },
      },
      Task: {
        jobs: ({ id }: { id: string }, { after }: { after?: string | null }) => {
          // Pages of two, so that there are several.
          const all = core.jobs.filter(({ taskId }) => taskId === id);
          const from = Number(after ?? 0);
          const end = Math.min(from + 2, all.length);
          return {
            nodes: all.slice(from, end),
            pageInfo: { hasNextPage: end < all.length, endCursor: String(end) },
          };
        },
      },
      Job: {
        task: ({ taskId }: RecordedJob) => ({ id: taskId }),
        owner: () => 'experiment:alpha',
        labels: ({ probe, isBroken }: RecordedJob) => {
          if (isBroken === 'now') throw new DomainError('SERVICE_UNAVAILABLE', 'the job cannot be read now');
          if (isBroken) throw new DomainError('BAD_USER_INPUT', 'the job cannot be read at all');
          return probe === undefined ? [] : [{ key: 'alpha-probe', value: probe }];
        },
      },
    },
    policies: {
      'Query.task': { open },
      'Query.jobs': { open },
      'Mutation.submitTask': { open },
      'Subscription.jobStateChanged': { open },
    },
  });
  const serve = (port: number): Promise<ServedSubgraph> =>
    serveSubgraph({ subgraph, verifier: tokens.verifier, log: silentLogger(), port, drainMs: 100 });
  let served = await serve(0);
  leftovers.defer('a recorded core', () => served.close());
  const client = leftovers.use(
    createClient({
      url: served.url,
      token: () => tokens.service('alpha'),
      retry: { attempts: 1, initialDelayMs: 5 },
      reconnect: { initialDelayMs: 5, maxDelayMs: 50 },
    }),
    'the client of a recorded core',
  );
  return {
    core,
    client,
    tokens,
    async restart() {
      const { port } = served;
      await served.close();
      served = await serve(port);
    },
  };
}
