import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { CampaignCall, CampaignReport } from '@rhizome/federation/testing';

// Random operations over random supergraphs whose subgraphs are reached over HTTP and WebSocket, compared
// with graphql-js on one schema with the same values. The campaigns in process are part of the federation
// package.

const timeoutMs = 20 * 60_000;
const program = fileURLToPath(new URL('../testing/network-campaign-process.js', import.meta.url));

async function run(call: CampaignCall): Promise<CampaignReport> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(call)], {
    maxBuffer: 64 * 2 ** 20,
    timeout: timeoutMs,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as CampaignReport;
}

describe('createHttpTransport and createWebSocketSubscriptions', () => {
  it(
    'returns for random operations over random supergraphs what one schema returns',
    async () => {
      const report = await run({
        seed: 'd',
        arenas: 27,
        operationsPerArena: 95,
        reach: 'HTTP and WebSocket',
        planner: 'process',
      });
      expect(report.failures).toEqual([]);
      expect(report.operations).toBeGreaterThanOrEqual(2_000);
    },
    timeoutMs,
  );
});
