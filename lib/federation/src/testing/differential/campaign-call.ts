import { GraphQLError } from 'graphql';
import { type CampaignResult, runCampaign } from './campaign.js';
import { FeatureCounts } from './features.js';
import type { Emphasis } from './random-operation.js';
import type { Reach } from './reach.js';

/** A campaign that runs in a separate process. */
export interface CampaignCall<ReachName extends string = string> {
  readonly seed: string;
  readonly arenas: number;
  readonly operationsPerArena: number;
  /** Way to reach subgraphs: a name that the process knows. */
  readonly reach: ReachName;
  /**
   * `process`: the native planner in a separate process, as in production; `fallback`: only the fallback
   * planner.
   */
  readonly planner: 'process' | 'fallback';
  readonly emphasis?: Emphasis;
}

/** Result of a campaign, with the number of operations that used each feature. */
export interface CampaignReport extends CampaignResult {
  readonly counts: Readonly<Record<string, number>>;
}

/**
 * Main function of a campaign process: runs the campaign that the first argument describes as JSON and prints
 * its report as the last line. graphql-js leaves rejected promises behind if one item of a list throws while
 * others are pending; their reasons are in the answer or were nulled with a parent. A process can ignore
 * them, a test cannot.
 */
export async function runCampaignProcess(reaches: Readonly<Record<string, Reach>>): Promise<void> {
  process.on('unhandledRejection', (error) => {
    if (!(error instanceof GraphQLError)) throw error;
  });
  const call = JSON.parse(process.argv[2] ?? '{}') as CampaignCall;
  const reach = reaches[call.reach];
  if (!reach) throw new Error(`Unknown reach "${call.reach}".`);
  const counts = new FeatureCounts();
  const result = await runCampaign({
    ...call,
    reach,
    engine: call.planner === 'fallback' ? { planner: 'fallback' } : { planning: 'worker' },
    counts,
    atOnce: 2,
  });
  const report: CampaignReport = { ...result, counts: counts.toJSON() };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
