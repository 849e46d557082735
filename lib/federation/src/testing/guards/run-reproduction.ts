import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createEngine, createEngineOn } from '../../engine/engine.js';
import type { Engine, EngineOptions } from '../../engine/types.js';
import { createInProcessTransport } from '../../transport/in-process.js';
import { createBarePlanning } from '../bare-planning.js';
import { composeSubgraphs, recordingLog, tester } from '../test-engine.js';
import { testSubgraph, type TestSubgraph } from '../test-subgraph.js';
import type { Reproduction } from './reproductions.js';

/** Result of a reproduction. */
export interface Outcome {
  /** The data without errors, or the error. */
  readonly data: unknown;
  /** Calls of subgraphs. */
  readonly calls: number;
  /** Reason of each plan that is not the native planner's. */
  readonly faults: readonly (string | undefined)[];
}

/** Runs a reproduction as in production: with all guards, and the planner in a separate process. */
export function runGuarded(reproduction: Reproduction): Promise<Outcome> {
  return run(reproduction, (options) => createEngine({ ...options, planning: 'worker' }));
}

/** Runs a reproduction with the unmodified plan of the native planner. */
export function runBare(reproduction: Reproduction): Promise<Outcome> {
  return run(reproduction, (options) => createEngineOn(createBarePlanning(options.supergraphSdl), options));
}

async function run(
  { subgraphs: inits, operation, variables }: Reproduction,
  create: (options: EngineOptions) => Promise<Engine>,
): Promise<Outcome> {
  const subgraphs = inits.map(testSubgraph);
  const faults: (string | undefined)[] = [];
  const engine = await create({
    supergraphSdl: composeSubgraphs(subgraphs),
    transports: (name) => createInProcessTransport(named(subgraphs, name)),
    log: recordingLog(),
    uncodedMessages: true,
    onPlan: ({ fault }) => faults.push(fault),
  });
  try {
    const request = { query: operation, variables, principal: tester, requestId: 'r1' };
    const answer = JSON.parse((await engine.execute(request)).text) as { data?: unknown; errors?: unknown };
    const calls = subgraphs.reduce((sum, subgraph) => sum + subgraph.calls.length, 0);
    return { data: answer.errors ? answer : answer.data, calls, faults };
  } finally {
    await engine.close();
  }
}

function named(subgraphs: readonly TestSubgraph[], name: string): TestSubgraph {
  const found = subgraphs.find((subgraph) => subgraph.name === name);
  if (!found) throw new Error(`Subgraph "${name}" not found.`);
  return found;
}

const program = `
  import { QueryPlanner } from '@graphql-hive/router-query-planner';
  const [supergraph, operation] = JSON.parse(process.argv[1]);
  try { new QueryPlanner(supergraph).plan(operation, undefined, new Set(), 100); } catch {}
`;

/** Plans an operation in a separate process; true if the native planner aborts that process. */
export async function crashes({ subgraphs, operation }: Reproduction): Promise<boolean> {
  const supergraph = composeSubgraphs(subgraphs.map(testSubgraph));
  const code = ['--input-type=module', '-e', program, JSON.stringify([supergraph, operation])];
  try {
    await promisify(execFile)(process.execPath, code, { cwd: import.meta.dirname });
    return false;
  } catch {
    return true;
  }
}
