import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, it } from '@jest/globals';
import { composeSubgraphs } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';
import { createProcessPlanning, type PlanningService } from './pool.js';
import type { PlanRequest } from './planner.js';

// A required field, and two keys by which both its owner and the subgraph that requires it can be entered:
// the native planner aborts its process.
const core = testSubgraph({
  name: 'core',
  sdl: 'type Query { jobs: [Job!] runs: [Run!] } type Job @key(fields: "id") { id: ID! name: String } type Run @key(fields: "id") { id: ID! }',
});
const owner = testSubgraph({
  name: 'owner',
  sdl: 'type Run @key(fields: "id") @key(fields: "code") { id: ID! code: ID! size: Int }',
});
const alpha = testSubgraph({
  name: 'alpha',
  sdl: 'type Run @key(fields: "id") @key(fields: "code") { id: ID! code: ID! size: Int @external weight: Int @requires(fields: "size") }',
});
const supergraphSdl = composeSubgraphs([core, owner, alpha]);
const fatal = '{ runs { weight } }';

function processesOfPlanner(): string[] {
  const args = ['-P', `${process.pid}`, '-f', 'planning/process.js'];
  return execFileSync('pgrep', args, { encoding: 'utf8' }).trim().split('\n');
}

const limits = { documentTokens: 1_000, expandedFields: 1_000 };
const request = (query: string): PlanRequest => ({
  query,
  operationName: undefined,
  labels: [],
  percentage: 100,
  conditions: {},
});

describe('planning in a separate process', () => {
  let service: PlanningService | undefined;
  afterEach(async () => {
    await service?.close();
    service = undefined;
  });
  const start = async (timeoutMs = 20_000, own = limits): Promise<PlanningService> => {
    service = await createProcessPlanning({ supergraphSdl, timeoutMs, ...own });
    return service;
  };

  it('validates, plans and knows the supergraph', async () => {
    const planning = await start();
    expect(planning.facts.subgraphs.map(({ name }) => name).sort()).toEqual(['alpha', 'core', 'owner']);
    expect(await planning.validate('{ jobs { id } }', undefined)).toBeUndefined();
    expect(await planning.validate('{ jobs { nope } }', undefined)).toMatchObject({
      code: 'GRAPHQL_VALIDATION_FAILED',
    });
    expect(await planning.plan(request('{ jobs { id } runs { code } }'))).toMatchObject({
      outcome: 'planned',
      planner: 'native',
    });
  });

  it('uses the fallback planner for an operation that aborts the process and keeps the other operations', async () => {
    const planning = await start();
    const replies = await Promise.all([
      planning.plan(request('{ jobs { id } }')),
      planning.plan(request(fatal)),
      planning.plan(request('{ runs { size } }')),
      planning.validate('{ jobs { id } }', undefined),
      planning.plan(request(fatal)),
    ]);
    expect(replies.map((reply) => (reply && 'planner' in reply ? reply.planner : reply))).toEqual([
      'native',
      'fallback',
      'native',
      undefined,
      'fallback',
    ]);
  });

  it('replaces a process killed from outside without losing an operation', async () => {
    const planning = await start();
    const own = processesOfPlanner();
    const asked = [
      ...Array.from({ length: 20 }, () => planning.validate('{ jobs { id } }', undefined)),
      planning.plan(request('{ jobs { id } }')),
    ];
    for (const pid of own) process.kill(Number(pid), 'SIGKILL');
    const replies = await Promise.all(asked);
    expect(replies.at(-1)).toMatchObject({ outcome: 'planned' });
    expect(new Set(replies.slice(0, -1))).toEqual(new Set([undefined]));
  });

  it('uses the fallback planner after operations have ended the process repeatedly', async () => {
    const planning = await start();
    for (let round = 0; round < 5; round++)
      expect(await planning.plan(request(fatal))).toMatchObject({ fault: expect.anything() });
    const reply = await planning.plan(request('{ jobs { id } }'));
    expect(reply).toMatchObject({ outcome: 'planned', planner: 'fallback', fault: undefined });
  });

  it('refuses calls after it was closed and rejects pending ones', async () => {
    const planning = await start();
    const waiting = planning.plan(request('{ jobs { id } }'));
    await planning.close();
    await expect(waiting).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
    await expect(planning.plan(request('{ jobs { id } }'))).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  });

  it('does not count time in which the process does not run', async () => {
    const timeoutMs = 500;
    const planning = await start(timeoutMs);
    const [pid] = processesOfPlanner();
    process.kill(Number(pid), 'SIGSTOP');
    const planned = planning.plan(request('{ jobs { id } }'));
    // Longer than the limit, as on a host that has no CPU time for the process.
    await new Promise((resolve) => setTimeout(resolve, 4 * timeoutMs));
    process.kill(Number(pid), 'SIGCONT');
    expect(await planned).toMatchObject({ outcome: 'planned', planner: 'native' });
  });

  it('rejects an operation that exceeds its CPU time and starts a process for the next one', async () => {
    const planning = await start(1, { documentTokens: 100_000, expandedFields: 100_000 });
    // Wide enough that both planners need several times the limit, at which the process is looked at.
    const wide = `{ ${Array.from({ length: 5000 }, (_, index) => `a${index}: runs { id code size }`).join(' ')} }`;
    await expect(planning.plan(request(wide))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    // With such a short limit no call is certain to succeed, but each starts with a new process.
    const code = await planning
      .validate('{ jobs { id } }', undefined)
      .catch((error: { code: string }) => error.code);
    expect([undefined, 'LIMIT_EXCEEDED']).toContain(code);
  });
});
