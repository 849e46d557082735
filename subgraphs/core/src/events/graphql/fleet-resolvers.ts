/** Resolvers of the stream of fleets: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { isDecisionOf } from '../../fleets/model/decision.document.js';
import type { Resolvers } from '../../types.generated.js';
import { encodeCursor } from '../feed/cursor.js';

export const fleetStreamResolvers: Pick<Resolvers, 'FleetDecided'> & {
  readonly Subscription: Pick<NonNullable<Resolvers['Subscription']>, 'fleetDecided'>;
} = {
  Subscription: {
    fleetDecided: {
      subscribe: (_parent, { fleetId, after }, { core, principal, signal }) =>
        core.events.documents.parts({
          ...{ collection: 'fleetDecisions', after, signal },
          isWanted: (id) => isDecisionOf(fleetId, id),
          check: async () => {
            const [fleet] = await core.fleets.fleets.findMany([fleetId], principal);
            if (!fleet) throw fleetNotFound(fleetId);
          },
          read: (ids) => core.fleets.fleets.decisionsOf(ids),
        }),
      resolve: (change: unknown) => change as never,
    },
  },
  FleetDecided: {
    cursor: ({ token }) => encodeCursor(token),
    decision: ({ document }) => document,
  },
};

export const fleetStreamPolicies: Policies = {
  'Subscription.fleetDecided': { action: 'pool:read' },
};

function fleetNotFound(id: string): DomainError {
  const value = id.slice(0, 100);
  const text = `Fleet ${JSON.stringify(value)} not found, or you may not see it.`;
  return new DomainError('FLEET_NOT_FOUND', text, { value });
}
