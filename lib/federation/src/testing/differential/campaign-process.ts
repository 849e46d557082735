// Program: runs one campaign in process, `campaign-process.js JSON`.
import { runCampaignProcess } from './campaign-call.js';
import { asServed, plain, type Reach } from './reach.js';

/** Ways to reach subgraphs that this process knows. */
const reaches = {
  'graphql-js': plain,
  'interpreted subgraphs': asServed('interpreted'),
  'compiled subgraphs': asServed('jit'),
} satisfies Record<string, Reach>;

/** The name of a way to reach subgraphs. */
export type InProcessReach = keyof typeof reaches;

await runCampaignProcess(reaches);
