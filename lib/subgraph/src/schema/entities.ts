/**
 * Answers `Query._entities` as the library does, with a fraction of its promises: gateways request little
 * else, and many entities at once. Entities of object types are resolved here; the library resolves those of
 * interfaces, whose type must be determined first.
 */
import { enforce, isFixed } from '@rhizome/authz';
import {
  type GraphQLFieldResolver,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  isObjectType,
} from 'graphql';
import type { SubgraphContext } from '../context/types.js';
import type { GuardedEntity } from './guard.js';
import { settleItems } from './settled-lists.js';

interface Representation {
  readonly __typename: string;
}

type EntitiesResolver = GraphQLFieldResolver<
  unknown,
  SubgraphContext,
  { readonly representations: readonly Representation[] }
>;

/** Answers the entities of these types by their entry points. Changes the schema in place. */
export function answerEntities(schema: GraphQLSchema, entryPoints: ReadonlyMap<string, GuardedEntity>): void {
  const field = schema.getQueryType()?.getFields()['_entities'];
  const theirs = field?.resolve as EntitiesResolver | undefined;
  if (!field || !theirs) return;
  const known = new Map([...entryPoints].filter(([name]) => isObjectType(schema.getType(name))));
  const answer: EntitiesResolver = (parent, { representations }, context, info) => {
    const passed = new Set<GuardedEntity>();
    const found = representations.map((representation): unknown => {
      const entryPoint = known.get(representation.__typename);
      if (entryPoint) return resolveOne(entryPoint, passed, representation, context, info);
      const one = theirs(parent, { representations: [representation] }, context, info);
      return one instanceof Promise ? one.then(only) : only(one);
    });
    return settleItems(found, (value, index) => {
      const typename = representations[index]?.__typename ?? '';
      return known.has(typename) ? marked(value, typename) : value;
    });
  };
  field.resolve = answer as GraphQLFieldResolver<unknown, unknown>;
}

function only(list: unknown): unknown {
  return (list as readonly unknown[])[0];
}

/** The entity, a promise of it, or its error: a refused entity does not affect the others. */
function resolveOne(
  entryPoint: GuardedEntity,
  passed: Set<GuardedEntity>,
  representation: Representation,
  context: SubgraphContext,
  info: GraphQLResolveInfo,
): unknown {
  try {
    // A policy that does not depend on the entity is checked once for all of them.
    if (!passed.has(entryPoint)) {
      const call = { principal: context.principal, args: {}, context, parent: representation };
      const pending = enforce(entryPoint.policy, call);
      if (pending) return pending.then(() => entryPoint.resolve(representation, context, info));
      if (isFixed(entryPoint.policy)) passed.add(entryPoint);
    }
    return entryPoint.resolve(representation, context, info);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The entity with its type name for the executor: on the object itself if possible. */
function marked(value: unknown, typename: string): unknown {
  if (typeof value !== 'object' || value === null) return null;
  if (value instanceof Error) return value;
  if ('__typename' in value)
    return value.__typename === typename ? value : { ...value, __typename: typename };
  if (!Object.isExtensible(value)) return { ...value, __typename: typename };
  return Object.defineProperty(value, '__typename', { value: typename });
}
