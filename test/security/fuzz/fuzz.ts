/** Calls of every mutation with generated inputs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, type GraphQLField, type GraphQLSchema } from 'graphql';
import { root } from '../../e2e/system/playground-system.js';
import type { AttackSystem, Caller } from '../attack/attack-system.js';
import { codeIn, faultsOf, type Outcome } from '../attack/case.js';
import { send } from '../attack/http.js';
import { ofIdentities } from '../attack/role-cases.js';
import { InputGenerator, type KnownValues, randomFrom } from './generator.js';

/** A fault that one call has shown. */
export interface FuzzFault {
  readonly mutation: string;
  readonly as: Caller;
  readonly input: unknown;
  readonly faults: readonly string[];
}

/** Result of a run. */
export interface FuzzResult {
  readonly calls: number;
  /** Number of answers by code; `none` for calls that succeeded. */
  readonly codes: Readonly<Record<string, number>>;
  readonly faults: readonly FuzzFault[];
}

/** Options of {@link fuzz}. */
export interface FuzzOptions {
  readonly seed: number;
  /** Calls of each mutation. */
  readonly calls: number;
}

const callers: readonly Caller[] = [
  ...(['everything', 'everything', 'everything', 'everything'] as const),
  ...(['user', 'operator', 'production', 'agent', 'service'] as const),
];
/** Mutations that change the graph itself, by callers who may not: the schema is the same for all calls. */
const ofGraph = ['registerSubgraph', 'publishSchema', 'rollbackSchema', 'withdrawSubgraph'];
const harmless: readonly Caller[] = ['reader', 'user', 'production', 'operator', 'agent', 'service', 'pilot'];

/** All mutations of the public schema. */
export function mutations(): readonly GraphQLField<unknown, unknown>[] {
  const schema: GraphQLSchema = buildSchema(readFileSync(join(root, 'schema', 'public.graphql'), 'utf8'));
  return Object.values(schema.getMutationType()?.getFields() ?? {});
}

/** Sends generated inputs, one after the other. */
export async function fuzz(system: AttackSystem, { seed, calls }: FuzzOptions): Promise<FuzzResult> {
  const random = randomFrom(seed);
  const generator = new InputGenerator(random, knownIn(system));
  const codes: Record<string, number> = {};
  const faults: FuzzFault[] = [];
  let count = 0;
  for (const mutation of mutations())
    for (let call = 0; call < calls; call++) {
      const choice = ofGraph.includes(mutation.name) ? harmless : callers;
      const as = choice[Math.floor(random() * choice.length)] as Caller;
      const input = generator.value(mutation.args[0]?.type ?? fail(mutation.name), 'input') ?? null;
      const outcome = await callOnce(system, mutation, as, input);
      count++;
      const found = [...faultsOf(outcome), ...uncoded(outcome)];
      if (found.length > 0) faults.push({ mutation: mutation.name, as, input, faults: found });
      const code = codeIn(outcome.text) ?? 'none';
      codes[code] = (codes[code] ?? 0) + 1;
    }
  return { calls: count, codes, faults };
}

function fail(mutation: string): never {
  throw new Error(`the mutation ${mutation} has no input`);
}

function callOnce(
  system: AttackSystem,
  { name, args }: GraphQLField<unknown, unknown>,
  as: Caller,
  input: unknown,
): Promise<Outcome> {
  const query = `mutation ($input: ${String(args[0]?.type)}) { ${name}(input: $input) { userErrors { code message path } } }`;
  const at = ofIdentities.has(name) ? 'identities' : 'gateway';
  return send(system, { as, at, body: { query, variables: { input } } });
}

/** Errors without a code, and answers that are none. */
function uncoded({ status, text }: Outcome): readonly string[] {
  let body: {
    readonly data?: Readonly<
      Record<string, { readonly userErrors?: readonly { readonly path?: unknown }[] } | null>
    > | null;
    readonly errors?: readonly { readonly extensions?: { readonly code?: unknown } }[];
  };
  try {
    body = JSON.parse(text) as typeof body;
  } catch {
    return [`no JSON with status ${status}: ${text.slice(0, 200)}`];
  }
  const errors = (body.errors ?? []).filter(({ extensions }) => typeof extensions?.code !== 'string');
  const pathless = Object.values(body.data ?? {})
    .flatMap((field) => field?.userErrors ?? [])
    .filter(({ path }) => !Array.isArray(path));
  return [...errors, ...pathless].map((error) => `no code or path: ${JSON.stringify(error)}`);
}

/** Numbers of jobs by experiment and state: as core counts them from its events, and as they are stored. */
export async function countsOf(
  system: AttackSystem,
): Promise<{ readonly counted: object; readonly stored: object }> {
  const { jobCounts } = await system.services
    .api()
    .data<{ jobCounts: { experimentName: string; state: string; count: number }[] }>(
      '{ jobCounts { experimentName state count } }',
    );
  const jobs = system.store.db('core').collection<{ experiment: string; state: string }>('jobs');
  return {
    counted: totals(
      jobCounts.map(({ experimentName, state, count }) => [`${experimentName} ${state}`, count]),
    ),
    stored: totals(
      (await jobs.find().toArray()).map(({ experiment, state }) => [`${experiment} ${state}`, 1]),
    ),
  };
}

function totals(counts: readonly (readonly [string, number])[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [key, count] of counts) if (count > 0) sums[key] = (sums[key] ?? 0) + count;
  return Object.fromEntries(Object.entries(sums).sort());
}

function knownIn({ targets }: AttackSystem): KnownValues {
  const jobs = [targets.job, targets.larkspurJob, targets.held.job.id, 'job_nowhere'];
  const experiments = ['larkspur', 'larkspur', 'atlas', '*', 'nowhere'];
  const queues = [targets.queue, 'playground', 'nowhere'];
  return {
    ...{ ids: jobs, id: jobs, jobId: jobs, dependsOn: jobs },
    ...{ workerId: [targets.worker, 'worker_nowhere'], fence: [targets.held.fence, 0, 1] },
    ...{ queue: queues, experiment: experiments, experiments },
    name: ['larkspur', 'atlas', 'citadel', 'playground', 'fresh'],
    ...{ leaf: ['production', 'analysis', 'default'], share: ['larkspur/production', 'atlas/default', 'x'] },
    ...{ subgraph: ['larkspur', 'atlas', 'core', 'nowhere'], command: ['true', 'sh'] },
    architecture: ['x86_64', 'aarch64'],
  };
}
