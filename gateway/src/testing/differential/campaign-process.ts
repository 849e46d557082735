/**
 * Runs one campaign in a process of its own and prints what came of it as the last line: `campaign-process.js JSON`.
 * graphql-js leaves rejected promises behind when one item of a list throws while others are pending; what they reject
 * with is in the answer or was nulled away. A process may let them be, a test cannot.
 */
import { GraphQLError } from 'graphql';
import { type CampaignResult, runCampaign } from './campaign.js';
import { FeatureCounts } from './features.js';
import type { Emphasis } from './random-operation.js';
import { housed, overHttp, plain, type Reach } from './reach.js';

/** What the process is told. */
export interface CampaignCall {
  readonly seed: string;
  readonly arenas: number;
  readonly operationsPerArena: number;
  readonly reach: keyof typeof reaches;
  /** `process`: as it is served, the native planner in a process; `reserve`: the plain planner alone. */
  readonly planner: 'process' | 'reserve';
  readonly emphasis?: Emphasis;
}

/** What it prints. */
export interface CampaignReport extends CampaignResult {
  readonly counts: Readonly<Record<string, number>>;
}

const reaches = {
  'graphql-js': plain,
  'graphql-js of the house': housed('interpreted'),
  'graphql-jit': housed('jit'),
  'HTTP and WebSocket': overHttp,
} satisfies Record<string, Reach>;

async function main(call: CampaignCall): Promise<void> {
  const counts = new FeatureCounts();
  const result = await runCampaign({
    ...call,
    reach: reaches[call.reach],
    engine: call.planner === 'reserve' ? { planner: 'reserve' } : { planning: 'worker' },
    counts,
    atOnce: 2,
  });
  const report: CampaignReport = { ...result, counts: counts.toJSON() };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

process.on('unhandledRejection', (error) => {
  if (!(error instanceof GraphQLError)) throw error;
});
await main(JSON.parse(process.argv[2] ?? '{}') as CampaignCall);
