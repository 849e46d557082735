/** A gateway with proposals, over a core of a few jobs and a task. */
import { type Agents, openAgents } from '@rhizome/agents';
import { type Clock, systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { completeSdl } from '@rhizome/schema';
import { buildSubgraph, createInProcess } from '@rhizome/subgraph';
import { leftovers, testDatabase, testMongo } from '@rhizome/testkit';
import { parse } from 'graphql';
import { bring } from './live-registry.js';
import { openTestAudit } from './audit-system.js';
import { endpointOf, type RegistrySystem, startRegistrySystem } from './registry-system.js';

/** A job of the test. */
export interface TestJob {
  readonly id: string;
  readonly experiment: string;
  state: string;
  attempt: number;
  /** Subject of the person that submitted it. */
  readonly owner: string;
}

/** A call that changed something, with the principal that made it. */
export interface TestCall {
  readonly mutation: string;
  readonly subject: string;
  readonly kind: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** The system; its clock can be moved. */
export interface ProposalSystem extends RegistrySystem {
  readonly agents: Agents;
  readonly audit: Awaited<ReturnType<typeof openTestAudit>>;
  readonly clock: Clock;
  readonly jobs: Map<string, TestJob>;
  readonly task: { state: string };
  /** Calls that changed something; a repeated key changes nothing. */
  readonly calls: TestCall[];
  /** Names of the mutations that arrived without `isDryRun`, also of refused and repeated ones. */
  readonly arrivals: string[];
  /** Code with which core refuses the next mutation. */
  refusal: string | null;
  /** Event that core waits for before it lists jobs; undefined for none. */
  gate: Promise<void> | undefined;
  advance(ms: number): void;
}

const sdl = `
  "An experiment." type Experiment @key(fields: "name") { "Its name." name: String! }
  "A principal." type Principal @key(fields: "subject") { "Its subject." subject: String! }
  "An access." type JobAccess { "Its level." level: String! }
  "GPUs." type GpuRequirement { "Their number." count: Int! }
  "Resources." type JobRequirements {
    "Cores." cores: Int!
    "Seconds." walltimeSeconds: Int!
    "GPUs." gpu: GpuRequirement
  }
  "A job." type Job @key(fields: "id") {
    "Its id." id: ID!
    "Its name." name: String!
    "Its state." state: String!
    "Its attempt." attempt: Int!
    "Its owner." owner: Principal!
    "Who submitted it." submittedBy: Principal!
    "Access of others." access: [JobAccess!]!
    "A text that approvers may read." secretNote: String
    "Its experiment." experiment: Experiment!
    "Its requirements." requirements: JobRequirements!
  }
  "Jobs." type JobConnection { "The jobs." nodes: [Job!]! "The page." pageInfo: PageInfo! }
  "A task." type Task @key(fields: "id") {
    "Its id." id: ID!
    "Its name." name: String!
    "Its state." state: String!
    "Its experiment." experiment: Experiment!
  }
  "Conditions." input JobFilter { "Ids." ids: [ID!] "States." states: [String!] }
  "A selection." input JobSelectionInput @oneOf { "Ids." ids: [ID!] "A filter." filter: JobFilter }
  "An error." type CancelJobsUserError implements UserError {
    "Text." message: String! "Path." path: [String!]! "Code." code: CancelJobsUserErrorCode!
  }
  "Codes." enum CancelJobsUserErrorCode { "No such job." JOB_NOT_FOUND }
  "Jobs to cancel." input CancelJobsInput {
    "The jobs." selection: JobSelectionInput! "Why." reason: String "A key." idempotencyKey: String
  }
  "The result." type CancelJobsPayload {
    "Number." changedCount: Int! "Jobs." jobs: [Job!]! "Errors." userErrors: [CancelJobsUserError!]!
  }
  "An error." type PauseTaskUserError implements UserError {
    "Text." message: String! "Path." path: [String!]! "Code." code: PauseTaskUserErrorCode!
  }
  "Codes." enum PauseTaskUserErrorCode { "Wrong state." TASK_STATE_CONFLICT }
  "The task to pause." input PauseTaskInput {
    "The task." taskId: ID! "Why." reason: String! "True to change nothing." isDryRun: Boolean = false
  }
  "The effect." type TaskCommandEffect { "Number of jobs." jobCount: Int! }
  "The result." type PauseTaskPayload {
    "The effect." effect: TaskCommandEffect "Errors." userErrors: [PauseTaskUserError!]!
  }
  "A result." type DeleteJobsPayload { "Errors." userErrors: [CancelJobsUserError!]! }
  "Jobs to delete." input DeleteJobsInput { "The jobs." ids: [ID!]! }
  type Query {
    "Jobs." jobs(filter: JobFilter, first: Int = 20, after: String): JobConnection!
    "A task." task(id: ID!): Task
  }
  type Mutation {
    "Cancels jobs." cancelJobs(input: CancelJobsInput!): CancelJobsPayload!
    "Pauses a task." pauseTask(input: PauseTaskInput!): PauseTaskPayload!
    "Deletes jobs; it has no key." deleteJobs(input: DeleteJobsInput!): DeleteJobsPayload!
  }
`;

/** Settings of {@link startProposalSystem}. */
export interface ProposalSystemSettings {
  readonly fourEyes?: readonly string[];
  readonly openLimit?: number;
  /** Address of the endpoint for assistants, if there is one. */
  readonly mcpUrl?: string;
}

/** Starts the system; all of it is closed at the end of the file. */
export async function startProposalSystem({
  mcpUrl,
  ...settings
}: ProposalSystemSettings = {}): Promise<ProposalSystem> {
  let offset = 0;
  const clock: Clock = {
    now: () => new Date(systemClock.now().getTime() + offset),
    monotonicMs: () => systemClock.monotonicMs() + offset,
  };
  const { databaseName: database } = await testDatabase('agents');
  const { uri: mongoUri } = await testMongo();
  const agents = await openAgents({ ...settings, mongoUri, database }, { log: silentLogger(), clock });
  leftovers.defer('the proposals', () => agents.close());
  const audit = await openTestAudit();
  const registry = await startRegistrySystem({
    ...{ agents, audit, clock, proposalPauseMs: 100 },
    ...(mcpUrl !== undefined && { mcpUrl }),
  });
  const state = { refusal: null as string | null };
  const world = {
    ...{ jobs: new Map<string, TestJob>(), task: { state: 'RUNNING' } },
    ...{ calls: [] as TestCall[], arrivals: [] as string[] },
  };
  const serve = registry.serve;
  const system: ProposalSystem = {
    ...{ ...registry, ...world, agents, audit, clock },
    gate: undefined,
    get refusal() {
      return state.refusal;
    },
    set refusal(code) {
      state.refusal = code;
    },
    advance: (ms) => void (offset += ms),
    serve: (endpoint, text) =>
      endpoint === endpointOf('core')
        ? void registry.endpoints.set(endpoint, core(system))
        : serve(endpoint, text),
  };
  await bring(system, 'core', sdl, null);
  return system;
}

interface Call<A> {
  (
    parent: unknown,
    args: A,
    context: { readonly principal: { readonly subject: string; readonly kind: string } },
  ): unknown;
}

/** Resolvers of the types of core. */
function typeResolvers(system: ProposalSystem) {
  return {
    Job: {
      name: ({ id }: TestJob) => `name of ${id}`,
      secretNote: () => 'for approvers only',
      owner: ({ owner }: TestJob) => ({ subject: owner }),
      submittedBy: ({ owner }: TestJob) => ({ subject: owner }),
      access: () => [],
      experiment: ({ experiment }: TestJob) => ({ name: experiment }),
      requirements: () => ({ cores: 4, walltimeSeconds: 7200, gpu: { count: 1 } }),
      __resolveReference: (reference: object) => reference,
    },
    Task: {
      name: () => 'simulation',
      state: () => system.task.state,
      experiment: () => ({ name: 'heron' }),
      __resolveReference: (reference: object) => reference,
    },
    Experiment: { __resolveReference: (reference: object) => reference },
    Principal: { __resolveReference: (reference: object) => reference },
  };
}

/** The core of the test. */
function core(system: ProposalSystem) {
  const keys = new Set<string>();
  const record = (
    mutation: string,
    input: object,
    { subject, kind }: { subject: string; kind: string },
  ): void => {
    system.calls.push({ mutation, subject, kind, input: { ...input } });
  };
  const arrive = (mutation: string): void => {
    system.arrivals.push(mutation);
    if (system.refusal !== null) {
      const error = new Error('Core refuses') as Error & { extensions: object };
      error.extensions = { code: system.refusal };
      throw error;
    }
  };
  const jobs: Call<{ filter?: { ids?: string[]; states?: string[] } | null }> = async (
    _parent,
    { filter },
  ) => {
    await system.gate;
    return {
      nodes: [...system.jobs.values()].filter(
        ({ id, state }) => (filter?.ids?.includes(id) ?? true) && (filter?.states?.includes(state) ?? true),
      ),
      pageInfo: { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null },
    };
  };
  const cancelJobs: Call<{ input: { selection: { ids: string[] }; idempotencyKey: string } }> = (
    _parent,
    { input },
    { principal },
  ) => {
    arrive('cancelJobs');
    const { ids } = input.selection;
    if (!keys.has(input.idempotencyKey)) record('cancelJobs', input, principal);
    keys.add(input.idempotencyKey);
    for (const id of ids) {
      const job = system.jobs.get(id);
      if (job) job.state = 'CANCELLED';
    }
    return { changedCount: ids.length, jobs: ids.map((id) => system.jobs.get(id)), userErrors: [] };
  };
  const pauseTask: Call<{ input: { isDryRun: boolean } }> = (_parent, { input }, { principal }) => {
    if (!input.isDryRun) arrive('pauseTask');
    if (system.task.state !== 'RUNNING') {
      const message = `taskId: the task is ${system.task.state}`;
      return { effect: null, userErrors: [{ code: 'TASK_STATE_CONFLICT', path: ['taskId'], message }] };
    }
    if (!input.isDryRun) {
      record('pauseTask', input, principal);
      system.task.state = 'PAUSED';
    }
    return { effect: { jobCount: 7 }, userErrors: [] };
  };
  const open = { open: 'a test' };
  const subgraph = buildSubgraph({
    name: 'core',
    typeDefs: parse(completeSdl(sdl)),
    resolvers: {
      Query: {
        jobs,
        task: (_parent: unknown, { id }: { id: string }) => (/^task_\d$/.test(id) ? { id } : null),
      },
      Mutation: { cancelJobs, pauseTask, deleteJobs: () => ({ userErrors: [] }) },
      ...typeResolvers(system),
    },
    policies: {
      ...{ 'Query.jobs': { action: 'job:read' }, 'Query.task': { action: 'task:read' } },
      ...{ 'Mutation.cancelJobs': { action: 'job:cancel' }, 'Mutation.pauseTask': { action: 'job:hold' } },
      ...{ 'Mutation.deleteJobs': open, 'Job.__resolveReference': open, 'Task.__resolveReference': open },
      'Experiment.__resolveReference': open,
      'Principal.__resolveReference': open,
    },
  });
  return createInProcess({ subgraph, log: silentLogger() });
}
