// The tools that the gateway has itself.
import type { GraphQLSchema } from 'graphql';
import type { GatewayLimits, RateLimiter } from '../../policy/index.js';
import { explainJobTool } from './explain-job.js';
import { type LimitsOf, myLimitsTool } from './my-limits.js';
import { proposalTools } from './proposals.js';
import { runQueryTool } from './run-query.js';
import { searchSchemaTool } from './search-schema.js';
import type { Tool } from './tool.js';
import { watchJobsTool } from './watch-jobs.js';

/** Ports of the fixed tools. */
export interface FixedToolOptions {
  readonly schema: GraphQLSchema;
  readonly limits: Pick<GatewayLimits, 'assumedListSize'>;
  readonly rates: RateLimiter | undefined;
  readonly limitsOf: LimitsOf;
  readonly runsQueries: boolean;
  /** Names of the experiments, which are those of their fields. */
  readonly experiments: ReadonlySet<string>;
}

/** The tools of the gateway, except those that a graph without their fields cannot have. */
export function fixedToolsOf(options: FixedToolOptions): readonly Tool[] {
  const { schema, limits, rates, limitsOf, runsQueries, experiments } = options;
  const found = [
    explainJobTool(schema),
    myLimitsTool(rates, limitsOf),
    runsQueries ? runQueryTool(schema, limits.assumedListSize) : undefined,
    searchSchemaTool(schema, experiments),
    watchJobsTool(schema),
    ...proposalTools(schema),
  ];
  return found.filter((tool) => tool !== undefined);
}
