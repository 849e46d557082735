/** Calls of every mutation with generated inputs. */
import { randomUUID } from 'node:crypto';
import type { GraphQLField } from 'graphql';
import type { AttackSystem } from '../attack/attack-system.js';
import type { Caller } from '../attack/attackers.js';
import { codeIn, faultsOf, type Outcome } from '../attack/case.js';
import { send } from '../attack/http.js';
import { inputs, ofIdentities } from '../attack/role-cases.js';
import { enrolWorker, sendAsWorker } from '../attack/worker-cases.js';
import { publicSchema } from '../public-schema.js';
import { InputGenerator, type KnownValues, randomFrom } from './generator.js';

/** A fault that one call has shown. */
export interface FuzzFault {
  readonly mutation: string;
  readonly as: Fuzzer;
  readonly input: unknown;
  readonly faults: readonly string[];
}

/** Result of a run. */
export interface FuzzResult {
  readonly calls: number;
  /** Number of answers by code; `none` for calls that succeeded. */
  readonly codes: Readonly<Record<string, number>>;
  readonly faults: readonly FuzzFault[];
  /** Mutations of which a call got past validation and authorisation. */
  readonly reached: ReadonlySet<string>;
  /** Mutations of which a call succeeded. */
  readonly succeeded: ReadonlySet<string>;
}

/** Options of {@link fuzz}. */
export interface FuzzOptions {
  readonly seed: number;
  /** Calls of each mutation. */
  readonly calls: number;
}

/** A caller of the attacks, or a worker that has enrolled. */
type Fuzzer = Caller | 'worker';

const callers: readonly Fuzzer[] = [
  ...(['everything', 'everything', 'everything', 'everything'] as const),
  ...(['user', 'operator', 'production', 'agent', 'service'] as const),
];
const workerCallers: readonly Fuzzer[] = [...callers, 'worker', 'worker'];
/** Mutations of workers; secrets are delivered to an enrolled one only. */
const ofWorkers: ReadonlySet<string> = new Set([
  ...['heartbeat', 'acquireJobs', 'startJobs', 'finishJobs', 'failJobs', 'appendJobLog', 'redeemSecrets'],
  ...['registerWorker', 'drainWorker', 'reportCheckpoints', 'signJobFiles'],
]);
/** Mutations that change the graph itself come last: until then, the schema is the same for all calls. */
const ofGraph: ReadonlySet<string> = new Set([
  ...['registerSubgraph', 'publishSchema', 'rollbackSchema', 'withdrawSubgraph'],
]);

/** All mutations of the public schema. */
export function mutations(): readonly GraphQLField<unknown, unknown>[] {
  const all = Object.values(publicSchema().getMutationType()?.getFields() ?? {});
  return [...all.filter(({ name }) => !ofGraph.has(name)), ...all.filter(({ name }) => ofGraph.has(name))];
}

/** Sends generated inputs, one after the other. Every second one is a variant of a valid input. */
export async function fuzz(system: AttackSystem, { seed, calls }: FuzzOptions): Promise<FuzzResult> {
  const random = randomFrom(seed);
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const known = knownIn(system);
  const codes: Record<string, number> = {};
  const faults: FuzzFault[] = [];
  const [reached, succeeded] = [new Set<string>(), new Set<string>()];
  let count = 0;
  for (const mutation of mutations()) {
    const { name } = mutation;
    const generator = new InputGenerator(random, { ...known, ...secretsOf(system, name) });
    const type = mutation.args[0]?.type ?? fail(name);
    for (let call = 0; call < calls; call++) {
      // The first call has a valid input, and the rights for it.
      const owner = ofWorkers.has(name) ? 'worker' : 'everything';
      const as = call === 0 ? owner : oneOf(ofWorkers.has(name) ? workerCallers : callers);
      const valid = await validInput(system, name, as, `fuzz ${count}`);
      const changed =
        call % 2 === 0 ? generator.variant(type, valid, 'input') : generator.value(type, 'input');
      const input = call === 0 ? valid : (changed ?? null);
      const outcome = await callOnce(system, mutation, as, input);
      count++;
      system.evidence.keep(`${name} by ${as}`, outcome.text);
      const found = [...faultsOf(outcome), ...uncoded(outcome)];
      if (found.length > 0) faults.push({ mutation: name, as, input, faults: found });
      const code = codeIn(outcome.text) ?? 'none';
      codes[code] = (codes[code] ?? 0) + 1;
      if (isReached(outcome, name)) reached.add(name);
      if (code === 'none') succeeded.add(name);
    }
  }
  return { calls: count, codes, faults, reached, succeeded };
}

/** An input with which the caller may call the mutation; each call has a key of its own. */
async function validInput(system: AttackSystem, name: string, as: Fuzzer, key: string): Promise<object> {
  const input = inputs[name]?.(system) ?? fail(name);
  const worker =
    as === 'worker' && 'workerId' in input ? { workerId: (await enrolWorker(system)).worker } : {};
  return { ...input, ...worker, ...('idempotencyKey' in input && { idempotencyKey: key }) };
}

interface Body {
  readonly data?: Readonly<Record<string, { readonly userErrors?: readonly UserError[] } | null>> | null;
  readonly errors?: readonly { readonly extensions?: { readonly code?: unknown } }[];
}

interface UserError {
  readonly code: string;
  readonly path?: unknown;
}

/** The answer; undefined if it is no JSON. */
function bodyOf(text: string): Body | undefined {
  try {
    return JSON.parse(text) as Body;
  } catch {
    return undefined;
  }
}

/** True if the answer is that of the mutation itself, to a caller with the right to call it. */
function isReached({ text }: Outcome, name: string): boolean {
  const payload = bodyOf(text)?.data?.[name];
  return payload != null && (payload.userErrors ?? []).every(({ code }) => !unauthorised.has(code));
}

const unauthorised: ReadonlySet<string> = new Set(['FORBIDDEN', 'CREDENTIAL_REQUIRED']);

/** A value that is searched for later, for mutations that store a secret. */
function secretsOf({ evidence }: AttackSystem, name: string): KnownValues {
  if (name !== 'createSecret' && name !== 'rotateSecret') return {};
  const value = `CANARY-${randomUUID()}`;
  evidence.plant('secret', [value]);
  return { value: [value] };
}

function fail(mutation: string): never {
  throw new Error(`the mutation ${mutation} has no input`);
}

function callOnce(
  system: AttackSystem,
  { name, args }: GraphQLField<unknown, unknown>,
  as: Fuzzer,
  input: unknown,
): Promise<Outcome> {
  const query = `mutation ($input: ${String(args[0]?.type)}) { ${name}(input: $input) { userErrors { code message path } } }`;
  const body = { query, variables: { input } };
  if (as === 'worker') return sendAsWorker(system, body);
  return send(system, { as, at: ofIdentities.has(name) ? 'identities' : 'gateway', body });
}

/** Errors without a code, and answers that are none. */
function uncoded({ status, text }: Outcome): readonly string[] {
  const body = bodyOf(text);
  if (!body) return [`no JSON with status ${status}: ${text.slice(0, 200)}`];
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
    ...{ subgraph: ['larkspur', 'atlas', 'epic', 'nowhere'], command: ['true', 'sh'] },
    architecture: ['x86_64', 'aarch64'],
  };
}
