import { enforce, type Policy } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import {
  defaultFieldResolver,
  type GraphQLField,
  type GraphQLFieldResolver,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
} from 'graphql';
import type { SubgraphContext } from '../context/types.js';

type Resolver = GraphQLFieldResolver<unknown, SubgraphContext>;

/** A resolver that runs only after the policy has allowed the call. */
function guarded(policy: Policy, resolve: Resolver): Resolver {
  if ('open' in policy && policy.attempts) return resolve;
  return (parent, args, context, info) => {
    const pending = enforce(policy, { principal: context.principal, args, context, parent });
    return pending
      ? pending.then(() => resolve(parent, args, context, info))
      : resolve(parent, args, context, info);
  };
}

/** Adds a policy to a field; for a subscription, it is checked before the stream opens. */
export function guardField(
  field: GraphQLField<unknown, unknown>,
  policy: Policy,
  isSubscription: boolean,
): void {
  // The schema is built here and not in use yet: its resolvers are set in place, as its builder does.
  const target = field as GraphQLField<unknown, SubgraphContext>;
  if (isSubscription) {
    if (target.subscribe) target.subscribe = guarded(policy, target.subscribe);
  } else {
    target.resolve = guarded(policy, target.resolve ?? defaultFieldResolver);
  }
}

/** Loads an entity by the fields that other subgraphs know of it. */
export type ReferenceResolver = (
  representation: object,
  context: SubgraphContext,
  info: GraphQLResolveInfo,
) => unknown;

/** Access check and loader of the entities of one type. */
export interface GuardedEntity {
  readonly policy: Policy;
  /** Loads one, without checking the policy. */
  readonly resolve: ReferenceResolver;
}

interface SubgraphExtensions {
  apollo?: { subgraph?: { resolveReference?: ReferenceResolver } };
}

type EntityType = GraphQLObjectType | GraphQLInterfaceType;

function referenceResolverOf(type: EntityType): ReferenceResolver | undefined {
  return (type.extensions as SubgraphExtensions).apollo?.subgraph?.resolveReference;
}

function setReferenceResolver(type: EntityType, resolveReference: ReferenceResolver): void {
  const { apollo } = type.extensions as SubgraphExtensions;
  type.extensions = {
    ...type.extensions,
    apollo: { ...apollo, subgraph: { ...apollo?.subgraph, resolveReference } },
  };
}

/**
 * Guards an entity by a policy, and returns the pair for code that answers entities itself. The resolver
 * becomes asynchronous: a synchronous throw would fail the other entities of the list.
 */
export function guardEntity(type: EntityType, policy: Policy): GuardedEntity {
  const resolve = referenceResolverOf(type) ?? ((representation: object) => representation);
  setReferenceResolver(type, async (representation, context, info) => {
    const pending = enforce(policy, {
      principal: context.principal,
      args: {},
      context,
      parent: representation,
    });
    if (pending) await pending;
    return markable(await resolve(representation, context, info));
  });
  return { policy, resolve };
}

/** The library writes `__typename` to the resolved object: a frozen object is passed as a copy. */
function markable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return null;
  return Object.isExtensible(value) || '__typename' in value ? value : { ...value };
}

/** Closes `_entities` for a type that only refers to an entity of another subgraph. */
export function refuseEntity(type: EntityType): void {
  setReferenceResolver(type, async () => {
    throw new DomainError('BAD_USER_INPUT', `${type.name} is not resolved by this subgraph`, {
      field: 'representations.__typename',
      value: type.name,
      expected: 'an entity of this subgraph',
    });
  });
}
