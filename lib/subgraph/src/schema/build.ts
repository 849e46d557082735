import { buildSubgraphSchema } from '@apollo/subgraph';
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { type GraphQLSchema, isInterfaceType, isObjectType, print } from 'graphql';
import { compilationFaults, settleResolvers } from './compilable.js';
import { createContext } from '../context/context.js';
import type { SubgraphContext } from '../context/types.js';
import {
  checkPolicies,
  checkResumable,
  type EntryPointDefinition,
  findEntryPoints,
  isEntityReference,
} from './entry-points.js';
import { answerEntities } from './entities.js';
import { type GuardedEntity, guardEntity, guardField, refuseEntity } from './guard.js';
import { checkResolverNames, type MergedResolvers, mergeResolvers, scalarParts } from './resolver-map.js';
import { sharedScalars } from './scalars.js';
import type { SubgraphOptions, SubgraphSchema } from '../types.js';

/**
 * Builds one executable schema from SDL, resolvers and policies. A policy is enforced before its resolver
 * runs, and every field has its own resolver, so that every executor that conforms to the GraphQL
 * specification returns the same result.
 *
 * @throws DomainError CONFIG_INVALID that lists every error: an entry point without a policy or a policy
 *   without an entry point, a resolver for an unknown element, a root field without one, an asynchronous type
 *   resolver, `perPrincipal` marks that differ
 */
export function buildSubgraph<TContext extends SubgraphContext = SubgraphContext>(
  options: SubgraphOptions<TContext>,
): SubgraphSchema {
  const { name, typeDefs, policies, contextFactory } = options;
  const faults: string[] = [];
  const sdl = print(typeDefs);
  const maps = Array.isArray(options.resolvers) ? options.resolvers : [options.resolvers];
  const resolvers = mergeResolvers(maps, faults);
  const schema = buildSchema(options, sdl, resolvers);
  const entryPoints = findEntryPoints(schema, policies);
  checkResolverNames(schema, resolvers, faults);
  faults.push(
    ...checkPolicies(schema, entryPoints, policies),
    ...checkResumable(schema),
    ...checkRoots(entryPoints),
  );
  settleResolvers(schema);
  faults.push(...compilationFaults(schema));
  if (faults.length > 0) {
    throw new DomainError('CONFIG_INVALID', `Subgraph "${name}" cannot be built:\n- ${faults.join('\n- ')}`, {
      faults,
    });
  }
  guardEntryPoints(schema, entryPoints, policies);
  return {
    name,
    schema,
    sdl,
    entryPoints: entryPoints.flatMap(({ name, kind }) => {
      const policy = policies[name];
      return policy ? [{ name, kind, policy }] : [];
    }),
    createContext: (init) => createContext(init, contextFactory),
  };
}

function buildSchema(options: Pick<SubgraphOptions<never>, 'typeDefs'>, sdl: string, given: MergedResolvers) {
  const { typeDefs } = options;
  const declared = new Set(
    typeDefs.definitions.map((node) => ('name' in node ? node.name?.value : undefined)),
  );
  const resolvers: MergedResolvers = { ...given };
  for (const scalar of sharedScalars) {
    if (declared.has(scalar.name)) resolvers[scalar.name] ??= scalarParts(scalar);
  }
  // Composition reads the source text, not the elements that the library adds to run it.
  resolvers['Query'] = { ...given['Query'], _service: () => ({ sdl }) };
  // The library types resolvers by a map of its own; the names in ours are checked afterwards.
  const modules = [{ typeDefs, resolvers }] as Parameters<typeof buildSubgraphSchema>[0];
  return buildSubgraphSchema(modules);
}

/** Root fields have no parent to read from: each needs a resolver, and a subscription a stream. */
function checkRoots(entryPoints: readonly EntryPointDefinition[]): string[] {
  return entryPoints.flatMap(({ name, kind, field }) => {
    if (kind === 'subscription') return field?.subscribe ? [] : [`${name} has no subscribe function`];
    if (kind === 'query' || kind === 'mutation') return field?.resolve ? [] : [`${name} has no resolver`];
    return [];
  });
}

function guardEntryPoints(
  schema: GraphQLSchema,
  entryPoints: readonly EntryPointDefinition[],
  policies: Policies,
): void {
  const entities = new Map<string, GuardedEntity>();
  for (const entryPoint of entryPoints) {
    const policy = policies[entryPoint.name];
    if (!policy) continue;
    if (entryPoint.entity) entities.set(entryPoint.entity.name, guardEntity(entryPoint.entity, policy));
    else guardField(entryPoint.field, policy, entryPoint.kind === 'subscription');
  }
  const service = schema.getQueryType()?.getFields()['_service'];
  if (service) guardField(service, { action: 'subgraph:read' }, false);
  for (const type of Object.values(schema.getTypeMap())) {
    if ((isObjectType(type) || isInterfaceType(type)) && isEntityReference(type)) refuseEntity(type);
  }
  answerEntities(schema, entities);
}
