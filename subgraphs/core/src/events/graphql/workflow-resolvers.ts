/** Resolvers of the stream of workflows: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import type { Resolvers } from '../../types.generated.js';
import { encodeCursor } from '../feed/cursor.js';
import { checkedInterval } from './interval.js';

const shortestIntervalMs = 1000;

export const workflowStreamResolvers: Pick<Resolvers, 'WorkflowChanged'> & {
  readonly Subscription: Pick<NonNullable<Resolvers['Subscription']>, 'workflowChanged'>;
} = {
  Subscription: {
    workflowChanged: {
      subscribe: (_parent, { id, intervalMs }, { core, principal, signal }) => {
        const find = async () => (await core.workflows.views.findMany([id], principal))[0] ?? null;
        return core.events.workflowChanged(
          { id, find },
          checkedInterval(intervalMs, shortestIntervalMs),
          signal,
        );
      },
      resolve: (change: unknown) => change as never,
    },
  },
  WorkflowChanged: { cursor: ({ token }) => encodeCursor(token) },
};

export const workflowStreamPolicies: Policies = {
  'Subscription.workflowChanged': { action: 'task:read' },
};
