/** Submissions as entities: found by id, many by one read, and no more read of them than was selected. */
import type { CollectionDefinition } from '@rhizome/mongo';
import {
  byKey,
  defineLoader,
  type LoaderDefinition,
  type Loaders,
  lookAhead,
  type SelectionInfo,
} from '@rhizome/subgraph';
import type { SubmissionDocument } from '../submissions/submission.document.js';
import type { SubmissionProjection } from '../submissions/submissions.repository.js';

/** Part of `Submissions` that is needed here. */
interface Found<T> {
  find(ids: readonly string[], projection?: SubmissionProjection): Promise<readonly T[]>;
}

interface EntityContext {
  readonly loaders: Loaders;
}

/** Options of {@link submissionEntity}. */
export interface SubmissionEntityOptions<T extends SubmissionDocument, TContext> {
  /** The type's name in the SDL. */
  readonly type: string;
  /** Where the submissions lie. */
  readonly collection: CollectionDefinition<T>;
  /** The experiment's submissions, which its context has. */
  readonly submissions: (context: TContext) => Found<T>;
  /**
   * The stored fields behind each field of the type that has another name, or more than one of them. What is
   * neither named here nor stored under its own name makes that all of a submission is read.
   */
  readonly stored?: Readonly<Record<string, readonly (keyof T & string)[]>>;
}

/** See {@link submissionEntity}. */
export interface SubmissionEntity<T extends SubmissionDocument, TContext> {
  /** Finds one, with what is selected of it below the field that is resolved. */
  load(id: string, context: TContext, info: SelectionInfo): Promise<T | null>;
  /**
   * As {@link load}, for one that is known to exist, as in an event of a stream. Rejects where it does not.
   */
  existing(id: string, context: TContext, info: SelectionInfo): Promise<T>;
  /** Goes into the resolver map as `__resolveReference`. */
  readonly resolveReference: (
    representation: { readonly id: unknown },
    context: TContext,
    info: SelectionInfo,
  ) => Promise<T | null>;
  /** A resolver for the field that leads from a job's place to what was submitted, as it is now. */
  readonly ofPlace: (
    place: { readonly submission: { readonly _id: string } },
    args: object,
    context: TContext,
    info: SelectionInfo,
  ) => Promise<T>;
  /** Fields to read of the submission that the field itself returns; undefined: all. */
  fields(info: SelectionInfo): SubmissionProjection | undefined;
  /** Fields to read of the nodes of the connection that the field returns; undefined: all. */
  pageFields(info: SelectionInfo): SubmissionProjection | undefined;
  /** Finds all that is stored of one, for resolvers that compute with it. */
  readonly loader: LoaderDefinition<string, T, never>;
}

interface EntityKey {
  readonly id: string;
  readonly projection: SubmissionProjection | undefined;
}

/**
 * A submission's type: its loader with look-ahead, its reference resolver, and what pages of it read. The
 * objects that resolvers get have the fields that were selected, so that `stored` must name all that a
 * resolver looks at.
 */
export function submissionEntity<T extends SubmissionDocument, TContext extends EntityContext>(
  options: SubmissionEntityOptions<T, TContext>,
): SubmissionEntity<T, TContext> {
  const { type, submissions } = options;
  const projectionOf = (selected: ReadonlySet<string>) => projectionFor(options, selected);
  const fields = lookAhead(type, projectionOf);
  const pageFields = lookAhead(type, projectionOf, ['nodes'], ['edges', 'node']);
  const read = async (ids: readonly string[], projection: SubmissionProjection | undefined, of: TContext) =>
    byKey(ids, await submissions(of).find([...new Set(ids)], projection), ({ _id }) => _id);
  const selected = defineLoader<EntityKey, T, never>({
    name: type,
    cacheKey: ({ id, projection }) => `${id} ${projection ? Object.keys(projection).join() : '*'}`,
    load: (keys, context) =>
      read(
        keys.map(({ id }) => id),
        unionOf(new Set(keys.map(({ projection }) => projection))),
        context,
      ),
  });
  const load = (id: string, { loaders }: TContext, info: SelectionInfo): Promise<T | null> =>
    loaders.load(selected, { id, projection: fields(info) });
  const existing = async (id: string, context: TContext, info: SelectionInfo): Promise<T> => {
    const found = await load(id, context, info);
    if (found) return found;
    throw new Error(`${type} ${id} does not exist any more`);
  };
  return {
    load,
    existing,
    fields,
    pageFields,
    resolveReference: ({ id }, context, info) => load(String(id), context, info),
    ofPlace: ({ submission: { _id } }, _args, context, info) => existing(_id, context, info),
    loader: defineLoader<string, T, never>({
      name: `${type}, whole`,
      load: (ids, context) => read(ids, undefined, context),
    }),
  };
}

function projectionFor<T extends SubmissionDocument>(
  { collection, stored = {} }: Pick<SubmissionEntityOptions<T, never>, 'collection' | 'stored'>,
  selected: ReadonlySet<string>,
): SubmissionProjection | undefined {
  const own = collection.validator.properties;
  const read = new Set(['_id']);
  for (const name of selected) {
    if (name === '__typename' || name === 'id') continue;
    const behind = stored[name] ?? (name in own ? [name] : undefined);
    if (!behind) return undefined;
    for (const field of behind) read.add(field);
  }
  return Object.fromEntries([...read].sort().map((name) => [name, 1 as const]));
}

/** All of a batch are read at once, with the fields of all. */
function unionOf(
  projections: ReadonlySet<SubmissionProjection | undefined>,
): SubmissionProjection | undefined {
  const [first] = projections;
  if (projections.size === 1) return first;
  return projections.has(undefined) ? undefined : (Object.assign({}, ...projections) as SubmissionProjection);
}
