/** Reads the objects that a change concerns, with the versions by which a later change is found. */
import type { StoredTarget } from '@rhizome/agents';
import type { Principal } from '@rhizome/authz';
import type { BorrowEngine } from '../own-operation.js';
import type { FrozenChange, MutationInput } from './freeze.js';
import { readAs } from './graph-reads.js';
import type { ObjectType } from './mutation-rules.js';

/** Jobs that a proposal may concern. */
export const maxTargets = 1000;
const pageSize = 100;

/** Resources that a job asks for. */
export interface AskedResources {
  readonly cores: number;
  readonly walltimeSeconds: number;
  readonly gpu: { readonly count: number } | null;
}

/** An object with what a preview needs of it. */
export interface FoundTarget extends StoredTarget {
  readonly experiment: string | null;
  readonly requirements: AskedResources | null;
  /** Principals that a job belongs to: its owner, and the one that submitted it. */
  readonly owners: readonly string[];
  /** True if the caller was granted the right to change this job of another person. */
  readonly isGranted: boolean;
}

/** The objects of a change. */
export interface FoundTargets {
  readonly targets: readonly FoundTarget[];
  /** The input, which names the jobs of a filter by their identifiers. */
  readonly input: MutationInput;
  /** Identifiers that were not found, or that the principal may not see. */
  readonly missing: readonly string[];
  readonly isTooMany: boolean;
}

interface ReadObject {
  readonly id: string;
  readonly name?: string | null;
  readonly state: string;
  readonly attempt?: number;
  readonly experiment?: { readonly name: string } | null;
  readonly requirements?: AskedResources;
  readonly owner?: { readonly subject: string };
  readonly submittedBy?: { readonly subject: string };
  readonly access?: readonly { readonly level: string }[];
}

interface JobPage {
  readonly nodes: readonly ReadObject[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

const jobsQuery = `query ProposalJobs($filter: JobFilter, $first: Int!, $after: String) {
  jobs(filter: $filter, first: $first, after: $after) {
    nodes {
      id name state attempt owner { subject } submittedBy { subject } access { level }
      experiment { name } requirements { cores walltimeSeconds gpu { count } }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

const objectQueries: Readonly<Record<ObjectType, string>> = {
  Task: 'query ProposalTask($id: ID!) { object: task(id: $id) { id name state experiment { name } } }',
  Workflow:
    'query ProposalWorkflow($id: ID!) { object: workflow(id: $id) { id name state experiment { name } } }',
  Fleet: 'query ProposalFleet($id: ID!) { object: fleet(id: $id) { id name state experiment { name } } }',
  Queue: 'query ProposalQueue($id: String!) { object: queue(name: $id) { id: name state } }',
  Worker: 'query ProposalWorker($id: ID!) { object: worker(id: $id) { id state } }',
};

/** Reads the objects of a change as a principal. @throws DomainError SERVICE_UNAVAILABLE, BAD_USER_INPUT */
export async function findTargets(
  borrow: BorrowEngine,
  principal: Principal,
  { rule, input }: Pick<FrozenChange, 'rule' | 'input'>,
): Promise<FoundTargets> {
  const none = { targets: [], input, missing: [], isTooMany: false };
  const { target } = rule;
  if (!target) return none;
  if (target.kind === 'JOBS') return findJobs(borrow, principal, input);
  const id = input[target.field];
  if (typeof id !== 'string') return none;
  const { object } = await readAs(borrow, principal, objectQueries[target.type], { id });
  if (!object) return { ...none, missing: [id] };
  return { ...none, targets: [found(target.type, object as ReadObject)] };
}

/** The versions of known objects now, by their identifiers. @throws DomainError SERVICE_UNAVAILABLE */
export async function versionsOf(
  borrow: BorrowEngine,
  principal: Principal,
  targets: readonly Pick<StoredTarget, 'type' | 'id'>[],
): Promise<ReadonlyMap<string, StoredTarget>> {
  const ids = targets.filter(({ type }) => type === 'Job').map(({ id }) => id);
  const jobs = ids.length === 0 ? [] : (await readJobs(borrow, principal, { ids })).jobs;
  const others = await Promise.all(
    targets
      .filter(({ type }) => type !== 'Job')
      .map(async ({ type, id }) => {
        const query = objectQueries[type as ObjectType];
        const { object } = await readAs(borrow, principal, query, { id });
        return object ? [found(type, object as ReadObject)] : [];
      }),
  );
  return new Map([...jobs, ...others.flat()].map((one) => [one.id, one]));
}

async function findJobs(
  borrow: BorrowEngine,
  principal: Principal,
  input: MutationInput,
): Promise<FoundTargets> {
  const selection = (input['selection'] ?? {}) as { readonly ids?: unknown; readonly filter?: object };
  const ids = Array.isArray(selection.ids) ? [...new Set(selection.ids.map(String))] : undefined;
  if (ids && ids.length > maxTargets) return { targets: [], input, missing: [], isTooMany: true };
  const { jobs, isTooMany } = await readJobs(borrow, principal, ids ? { ids } : (selection.filter ?? {}));
  const known = new Set(jobs.map(({ id }) => id));
  return {
    targets: jobs,
    input: { ...input, selection: { ids: ids ?? [...known] } },
    missing: (ids ?? []).filter((id) => !known.has(id)),
    isTooMany,
  };
}

async function readJobs(
  borrow: BorrowEngine,
  principal: Principal,
  filter: object,
): Promise<{ readonly jobs: readonly FoundTarget[]; readonly isTooMany: boolean }> {
  const jobs: FoundTarget[] = [];
  for (let after: string | null = null; ;) {
    const variables: object = { filter, first: pageSize, after };
    const data = (await readAs(borrow, principal, jobsQuery, variables)) as {
      readonly jobs?: JobPage | null;
    };
    if (!data.jobs) return { jobs, isTooMany: false };
    jobs.push(...data.jobs.nodes.map((one) => found('Job', one)));
    const { hasNextPage, endCursor } = data.jobs.pageInfo;
    if (!hasNextPage) return { jobs, isTooMany: false };
    if (jobs.length >= maxTargets) return { jobs, isTooMany: true };
    after = endCursor;
  }
}

function found(type: string, read: ReadObject): FoundTarget {
  const { id, name = null, state, attempt = null, experiment, requirements = null } = read;
  const owners = [read.owner, read.submittedBy].flatMap((one) => one?.subject ?? []);
  const isGranted = read.access?.some(({ level }) => level === 'MANAGE') ?? false;
  const version = { type, id, name, state, attempt };
  return { ...version, experiment: experiment?.name ?? null, requirements, owners, isGranted };
}
