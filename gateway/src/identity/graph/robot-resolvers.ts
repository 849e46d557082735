/** Resolvers of robots: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import type { Identity } from '@rhizome/identity';
import { connection } from '@rhizome/subgraph';
import { experimentOrNull, principalOf, principalOrNull } from '../../references.js';
import type { Resolvers } from '../../types.generated.js';
import { experimentOfInput } from './role-fields.js';

/** Resolvers of {@link robotTypes}. */
export type RobotResolvers = Pick<Resolvers, 'Robot' | 'RobotKey' | 'RobotConnection'>;

/** Resolvers of types. */
export function robotTypes(identity: () => Identity): RobotResolvers {
  return {
    RobotConnection: connection,
    Robot: {
      id: ({ _id }) => _id,
      name: ({ displayName }) => displayName,
      experiment: ({ robot }) => experimentOrNull(robot.experiment),
      experimentName: ({ robot }) => robot.experiment,
      keys: async ({ _id }) => [...(await identity().robots.keysOf(_id))],
      registeredBy: ({ robot }) => principalOf(robot.registeredBy),
      registeredAt: ({ createdAt }) => createdAt,
    },
    RobotKey: {
      id: ({ _id }) => _id,
      endedBy: ({ endedBy }) => principalOrNull(endedBy),
      createdBy: ({ createdBy }) => principalOf(createdBy),
    },
  };
}

/** Resolvers of queries. */
export function robotQueries(identity: () => Identity): Pick<Required<Resolvers>['Query'], 'robots'> {
  return {
    robots: (_parent, { first, after }, { principal }) =>
      identity().robots.page(first ?? 20, after, principal),
  };
}

/** Resolvers of mutations. */
export function robotMutations(
  identity: () => Identity,
): Pick<Required<Resolvers>['Mutation'], 'registerRobot' | 'addRobotKey' | 'endRobotKey'> {
  return {
    registerRobot: (_parent, { input }, { principal }) => {
      const { keyExpiresAt: expiresAt, ...rest } = input;
      return identity().robots.register({ ...rest, expiresAt }, principal);
    },
    addRobotKey: (_parent, { input }, { principal }) => {
      const { robotId, ...key } = input;
      return identity().robots.addKey(robotId, key, principal);
    },
    endRobotKey: (_parent, { input }, { principal }) => identity().robots.endKey(input.id, principal),
  };
}

/** Policies of the fields; the services also check the experiment. */
export const robotPolicies: Policies = {
  'Query.robots': { action: 'identity:read' },
  'Mutation.registerRobot': { action: 'membership:set', experiment: experimentOfInput },
  'Mutation.addRobotKey': { action: 'membership:set' },
  'Mutation.endRobotKey': { action: 'membership:set' },
};
