import type { Policies, Policy, Principal } from '@rhizome/authz';
import type { DocumentNode, GraphQLFormattedError, GraphQLSchema } from 'graphql';
import type { ContextFactory, ContextInit } from './context/context.js';
import type { SubgraphContext } from './context/types.js';

/** Resolvers by type and field, as GraphQL Code Generator types them; each domain brings one map, merged here. */
export type ResolverMap = Readonly<Record<string, unknown>>;

/** Options of {@link buildSubgraph}. */
export interface SubgraphOptions<TContext extends SubgraphContext> {
  /** The name in the supergraph: `core`, or the experiment's. */
  readonly name: string;
  /** The generated `typeDefs`: shared SDL and the subgraph's own. */
  readonly typeDefs: DocumentNode;
  /** One map, or one a domain; two that define the same field are a fault. */
  readonly resolvers: ResolverMap | readonly ResolverMap[];
  /** A policy for each entry point; maps of several domains are spread into one. */
  readonly policies: Policies;
  readonly contextFactory?: ContextFactory<TContext>;
}

/** An entry point for callers: a root field, or an entity's reference resolver. */
export interface EntryPoint {
  /** `Query.jobs`, `Job.__resolveReference`, … */
  readonly name: string;
  readonly kind: 'query' | 'mutation' | 'subscription' | 'entity' | 'field';
  readonly policy: Policy;
}

/** A subgraph, built once and served either way. */
export interface SubgraphSchema {
  readonly name: string;
  readonly schema: GraphQLSchema;
  /** The SDL for composition: what was given as typeDefs, without the federation machinery. */
  readonly sdl: string;
  /** Every entry point with its policy, for tests and pages that list them. */
  readonly entryPoints: readonly EntryPoint[];
  /** Makes the context of one operation or one event. */
  createContext(init: ContextInit): SubgraphContext;
}

/** One operation for a subgraph in this process. */
export interface SubgraphCall {
  /** Kept and handed in again by its caller: what is compiled for it is remembered with it. */
  readonly document: DocumentNode;
  readonly operationName?: string | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  readonly principal: Principal;
  readonly requestId: string;
  /** Aborted when nobody waits any more. It may be made when it is read. */
  readonly signal?: AbortSignal | undefined;
  /** Whether nobody waits any more, for callers whose signal is made when it is read. */
  readonly isCancelled?: (() => boolean) | undefined;
  /** Whether another process of the same service handed the call on. */
  readonly isForwarded?: boolean | undefined;
  /**
   * Says that the answers to a subscription's events are only read, and what the caller may see: an event that its source hands to several
   * ({@link SharedEvent}) is then answered once for all who have this very text, and their answers are one object.
   */
  readonly sharedScope?: string | undefined;
}

/** A value, or the promise of one where there is something to wait for. */
export type MaybePromise<T> = T | Promise<T>;

/** An answer as it would come over HTTP, but as live objects: treat it as read-only. */
export interface SubgraphResult {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly GraphQLFormattedError[];
}

/** A subgraph that is called without a socket: same schema, same policies, same error shape, no serialisation. */
export interface InProcessSubgraph {
  readonly name: string;
  readonly sdl: string;
  /** Runs a query or a mutation. Never rejects: what went wrong is in `errors`. */
  execute(call: SubgraphCall): Promise<SubgraphResult>;
  /**
   * Opens a subscription. What is wrong with it comes as one result with `errors` and the stream ends. `return()`, or
   * the call's signal, ends it and the resolver's source with it.
   */
  subscribe(call: SubgraphCall): AsyncGenerator<SubgraphResult, void, undefined>;
}
