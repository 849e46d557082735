import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { allowedDifferences } from './allowed-differences.js';
import type { CampaignCall, CampaignReport } from './campaign-call.js';
import type { InProcessReach } from './campaign-process.js';
import { FeatureCounts } from './features.js';

/** Campaigns of a suite, and how much they must cover. */
export interface CampaignSuite {
  readonly campaigns: readonly CampaignCall<InProcessReach>[];
  readonly minArenas: number;
  readonly minOperations: number;
  /** Minimum number of operations that use each feature. */
  readonly minUses: number;
  /** Maximum time of all campaigns together. */
  readonly patienceMs: number;
}

const program = fileURLToPath(new URL('./campaign-process.js', import.meta.url));

async function run(call: CampaignCall<InProcessReach>, patienceMs: number): Promise<CampaignReport> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(call)], {
    maxBuffer: 64 * 2 ** 20,
    timeout: patienceMs,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as CampaignReport;
}

/** Two at a time: the engine and the planner alternate. */
async function runAll({
  campaigns,
  patienceMs,
}: CampaignSuite): Promise<Map<CampaignCall<InProcessReach>, CampaignReport>> {
  const reports = new Map<CampaignCall<InProcessReach>, CampaignReport>();
  const queue = [...campaigns];
  const lane = async (): Promise<void> => {
    for (let call = queue.shift(); call; call = queue.shift()) reports.set(call, await run(call, patienceMs));
  };
  await Promise.all([lane(), lane()]);
  return reports;
}

const title = ({ reach, planner, seed }: CampaignCall<InProcessReach>): string =>
  `on ${reach}, ${planner === 'process' ? 'as it is served' : 'by the fallback planner'}, seeds ${seed}0 and up`;

/**
 * Declares the tests of the campaigns: random operations over random supergraphs, compared with graphql-js on
 * one schema with the same values. Data must be equal byte for byte, errors must have the same paths and
 * codes. A failure prints its seed and the smallest operation that fails; the number after the letters of a
 * seed is the arena's.
 */
export function describeCampaigns(suite: CampaignSuite): void {
  const { campaigns, minArenas, minOperations, minUses, patienceMs } = suite;
  describe('random operations over random supergraphs', () => {
    const counts = new FeatureCounts();
    let reports = new Map<CampaignCall<InProcessReach>, CampaignReport>();
    const total = (of: (report: CampaignReport) => number): number =>
      [...reports.values()].reduce((sum, report) => sum + of(report), 0);

    beforeAll(async () => {
      reports = await runAll(suite);
      for (const report of reports.values()) counts.add(report.counts);
    }, patienceMs);

    it.each(campaigns.map((call) => [title(call), call] as const))(
      'returns the answers of one schema: %s',
      (_title, call) => {
        expect(reports.get(call)?.failures).toEqual([]);
      },
    );

    it('runs enough operations over supergraphs of 2 to 6 subgraphs', () => {
      expect(total(({ arenas }) => arenas)).toBeGreaterThanOrEqual(minArenas);
      expect(total(({ operations }) => operations)).toBeGreaterThanOrEqual(minOperations);
      const sizes = [...reports.values()].flatMap(({ subgraphs }) => subgraphs);
      expect([Math.min(...sizes), Math.max(...sizes)]).toEqual([2, 6]);
    });

    it('covers every feature often enough', () => {
      expect(counts.missing(minUses)).toEqual([]);
    });

    it('uses allowed differences rarely', () => {
      const uses = total(({ allowed }) => Object.values(allowed).reduce((sum, count) => sum + count, 0));
      expect(uses).toBeLessThanOrEqual(total(({ operations }) => operations) / 1000);
    });

    afterAll(() => {
      const lines = campaigns.map((call) => {
        const report = reports.get(call);
        return `${String(report?.operations).padStart(7)}  ${title(call)}: ${report?.arenas} supergraphs`;
      });
      for (const [name, { reason }] of Object.entries(allowedDifferences)) {
        const uses = total(({ allowed }) => allowed[name] ?? 0);
        lines.push(`${String(uses).padStart(7)}  allowed: ${name}. ${reason}`);
      }
      const reordered = total((report) => report.reordered);
      lines.push(
        `${String(reordered).padStart(7)}  reported another of several errors below one null, as graphql-js does`,
      );
      process.stdout.write(`${lines.join('\n')}\n${counts.table()}\n`);
    });
  });
}
