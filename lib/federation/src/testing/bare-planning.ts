import { QueryPlanner } from '@graphql-hive/router-query-planner';
import { parse } from 'graphql';
import type { PlanNode } from '../planning/plan-format.js';
import type { PlanningService } from '../planning/pool.js';
import { publicDocument } from '../supergraph/public-schema.js';
import { readSupergraph } from '../supergraph/supergraph.js';

/** Plans with the native planner alone: no guard before it, after it or around it. */
export function createBarePlanning(supergraphSdl: string): PlanningService {
  const document = parse(supergraphSdl, { noLocation: true });
  const native = new QueryPlanner(supergraphSdl);
  return {
    facts: readSupergraph(document, publicDocument(document)),
    overrides: { labels: native.overrideLabels, percentages: native.overridePercentages },
    validate: async () => undefined,
    plan: async ({ query, operationName, labels, percentage }) => {
      const { node } = native.plan(query, operationName, new Set(labels), percentage);
      return {
        outcome: 'planned',
        planner: 'native',
        node: (node ?? null) as PlanNode | null,
        renamed: {},
      };
    },
    close: async () => {},
  };
}
