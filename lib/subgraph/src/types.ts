import type { Policies, Policy, Principal } from '@rhizome/authz';
import type { DocumentNode, GraphQLFormattedError, GraphQLSchema } from 'graphql';
import type { ContextFactory, ContextInit } from './context/context.js';
import type { SubgraphContext } from './context/types.js';

/**
 * Resolvers by type and field, as GraphQL Code Generator types them; each domain has one map; they are merged
 * here.
 */
export type ResolverMap = Readonly<Record<string, unknown>>;

/** Options of {@link buildSubgraph}. */
export interface SubgraphOptions<TContext extends SubgraphContext> {
  /** Name in the supergraph: `core`, or the experiment's name. */
  readonly name: string;
  /** The generated `typeDefs`: shared SDL and the subgraph's own. */
  readonly typeDefs: DocumentNode;
  /** One map, or one per domain; two definitions of the same field are an error. */
  readonly resolvers: ResolverMap | readonly ResolverMap[];
  /** A policy for each entry point; the maps of all domains in one. */
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

/** A subgraph, built once, and called in process or served on a port. */
export interface SubgraphSchema {
  readonly name: string;
  readonly schema: GraphQLSchema;
  /** The SDL for composition: the given typeDefs, without the federation machinery. */
  readonly sdl: string;
  /** Every entry point with its policy, for tests and pages that list them. */
  readonly entryPoints: readonly EntryPoint[];
  /** Creates the context of one operation or one event. */
  createContext(init: ContextInit): SubgraphContext;
}

/** One operation for a subgraph in this process. */
export interface SubgraphCall {
  /**
   * The parsed document. Pass the same object again for repeated calls: its compiled code is kept with it.
   */
  readonly document: DocumentNode;
  readonly operationName?: string | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  readonly principal: Principal;
  readonly requestId: string;
  /** Aborted when the caller no longer needs the answer. May be created on first access. */
  readonly signal?: AbortSignal | undefined;
  /** Returns true if the caller no longer needs the answer, without creating the signal. */
  readonly isCancelled?: (() => boolean) | undefined;
  /** True if another process of the same service has forwarded the call. */
  readonly isForwarded?: boolean | undefined;
  /**
   * Identifies what the caller may see, and states that the answers to a subscription's events are only read:
   * a {@link SharedEvent} is answered once for all callers with the same text, and they get the same object.
   */
  readonly sharedScope?: string | undefined;
}

/** A value, or a promise of it if it is not available yet. */
export type MaybePromise<T> = T | Promise<T>;

/** An answer as it would come over HTTP, but as live objects: treat it as read-only. */
export interface SubgraphResult {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly GraphQLFormattedError[];
}

/**
 * A subgraph that is called without a socket: same schema, same policies, same error shape, no serialisation.
 */
export interface InProcessSubgraph {
  readonly name: string;
  readonly sdl: string;
  /** Runs a query or a mutation. Never rejects: errors are in `errors` of the result. */
  execute(call: SubgraphCall): Promise<SubgraphResult>;
  /**
   * Opens a subscription. If it is invalid, the stream returns one result with `errors` and ends. `return()`,
   * or the call's signal, ends the stream and the resolver's source.
   */
  subscribe(call: SubgraphCall): AsyncGenerator<SubgraphResult, void, undefined>;
}
