import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { composeTest, keptLog } from '../testing/gateway.js';
import { createEngine } from './index.js';

// An engine is made for each version of a supergraph. What it holds outside of the heap, which the garbage collector
// does not see, must go with it.

const reloads = 100;
const growthBytes = 100 * 2 ** 20;

/** A supergraph of more than 150 kB: a core and twenty experiments that extend it. */
function largeSupergraph(): string {
  const link = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", import: ["@key"])\n';
  const core = `${link} type Query { jobs: [Job!] } type Job @key(fields: "id") { id: ID! name: String }`;
  const experiments = Array.from({ length: 20 }, (_, index) => {
    const types = Array.from(
      { length: 62 },
      (__, at) =>
        `type X${index}T${at} { a(b: Int, c: String): Int "what it is" d: String! e: [Int!] f: X${index}T${(at + 1) % 62} g: Job }`,
    );
    const job = `type Job @key(fields: "id") { id: ID! x${index}: X${index}T0 }`;
    return { name: `x${index}`, sdl: [link, job, ...types].join('\n') };
  });
  return composeTest([{ name: 'core', sdl: core }, ...experiments]);
}

/** Processes that this one has started and that still live. */
function children(): number {
  return readdirSync('/proc/self/task').reduce((sum, task) => {
    const text = readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim();
    return sum + (text === '' ? 0 : text.split(' ').length);
  }, 0);
}

test(
  'a hundred reloads of a large supergraph leave no memory and no process behind',
  async () => {
    const supergraphSdl = largeSupergraph();
    expect(supergraphSdl.length).toBeGreaterThan(150_000);
    const before = children();
    let settled = 0;
    for (let reload = 1; reload <= reloads; reload++) {
      const engine = await createEngine({
        supergraphSdl,
        log: keptLog(),
        transports: () => ({
          wire: 'text',
          execute: async () => ({ data: { jobs: [] } }),
          subscribe: () => {
            throw new Error('no subscriptions');
          },
          close: async () => {},
        }),
      });
      const answer = await engine.execute({
        query: `{ r${reload}: jobs { id x1 { d } x2 { e } } }`,
        requestId: 'r',
      });
      expect(answer.outcome).toBe('executed');
      await engine.close();
      if (reload === 20) settled = process.memoryUsage().rss;
    }
    const grown = process.memoryUsage().rss - settled;
    process.stdout.write(`from the 20th to the ${reloads}th reload: ${Math.round(grown / 2 ** 20)} MiB\n`);
    expect(grown).toBeLessThan(growthBytes);
    expect(children()).toBeLessThanOrEqual(before);
  },
  15 * 60_000,
);
