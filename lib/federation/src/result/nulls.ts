import {
  type GraphQLOutputType,
  isEnumType,
  isLeafType,
  isListType,
  isNonNullType,
  type GraphQLNamedType,
} from 'graphql';
import type { AnswerField, AnswerSelection } from './collect.js';
import type { EngineError, FailedFetch, Failure } from './errors.js';
import { isPlainObject } from './merge.js';
import { type DataObject, type ResponsePath, valueAt } from './path.js';
import { dedupeFetchErrors } from './dedupe-fetch-errors.js';
import { dedupeNullErrors } from './dedupe-null-errors.js';
import { leafWriter } from './project.js';
import type { RunState } from '../fetch/run-state.js';

/** Required fields by the fields that need them: an error of an internal field is told where it is felt. */
export type Dependents = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * The errors of an answer, complete: those of subgraphs at places that the client can see, fetches that brought
 * nothing at each field they left out, and nulls that may not be and that nothing else explains. A second, slow pass
 * over the data: run only when something went wrong.
 */
export function explain(
  selection: AnswerSelection,
  state: RunState,
  dependents: Dependents,
  names: SchemaNames,
): EngineError[] {
  const visible = state.errors.flatMap((error) => visibleAt(error, selection, state, dependents));
  const walk = new NullWalk(state, new Explained(visible), names);
  walk.object(state.data, selection.type, selection, []);
  const placed = dedupeFetchErrors(dedupeNullErrors([...visible, ...walk.found], selection, state.data));
  return [...placed, ...withoutPlace(state)];
}

/** Errors that services reported of a whole answer, or of a whole entity, and that no missing field has shown. */
function withoutPlace({ failures }: RunState): EngineError[] {
  const found = new Map<FailedFetch, EngineError>();
  for (const { error, fetch, isOwn } of [...(failures?.values() ?? [])].flat()) {
    if (isOwn && fetch.paths === 0) found.set(fetch, error);
  }
  return [...found.values()];
}

/** Names that the supergraph has and clients do not see. */
export interface SchemaNames {
  /** Whether an enum has a value that composition hides from clients. */
  isHiddenValue(enumName: string, value: unknown): boolean;
  /** Whether a value of an interface or union can have this type. */
  isPossible(typename: string, abstractName: string): boolean;
}

/** Which places of an answer have an error already. */
class Explained {
  readonly #at = new Set<string>();
  readonly #above = new Set<string>();

  constructor(errors: readonly EngineError[]) {
    for (const { path } of errors) if (path) this.add(path);
  }

  add(path: ResponsePath): void {
    this.#at.add(JSON.stringify(path));
    for (let length = 0; length < path.length; length++)
      this.#above.add(JSON.stringify(path.slice(0, length)));
  }

  /** Whether an error lies at the place, above it, or below it. */
  has(path: ResponsePath): boolean {
    if (this.#above.has(JSON.stringify(path))) return true;
    for (let length = path.length; length >= 0; length--) {
      if (this.#at.has(JSON.stringify(path.slice(0, length)))) return true;
    }
    return false;
  }
}

class NullWalk {
  readonly found: EngineError[] = [];
  readonly #state: RunState;
  readonly #explained: Explained;
  readonly #names: SchemaNames;
  #nulls = 0;

  constructor(state: RunState, explained: Explained, names: SchemaNames) {
    this.#names = names;
    this.#state = state;
    this.#explained = explained;
  }

  /** Whether null takes the place of the object, because one of its fields may not be null but is. */
  object(value: DataObject, type: GraphQLNamedType, selection: AnswerSelection, path: ResponsePath): boolean {
    let bubbles = false;
    const takenAlong: [Failure, ResponsePath][] = [];
    for (const field of selection.fieldsOf(type)) {
      if (field.name.startsWith('__')) continue;
      const place = [...path, field.key];
      const inner = valueAt(value, field.key);
      const failure = inner === undefined ? this.#missing(value, field) : undefined;
      if (failure?.reported === 'if left') takenAlong.push([failure, place]);
      else if (failure) this.#reportFailure(failure, place);
      if (this.#bubbles(inner, field.type, field, place)) bubbles = true;
    }
    if (!bubbles) for (const [failure, place] of takenAlong) this.#reportPropagated(failure, place);
    return bubbles;
  }

  /** A field that no answer brought: a fetch that failed is to blame if there was one. */
  #missing(owner: DataObject, field: AnswerField): Failure | undefined {
    const failures = this.#state.failures?.get(owner);
    return failures?.find(({ fields }) => fields.has(field.key)) ?? failures?.[0];
  }

  #reportPropagated(failure: Failure, place: ResponsePath): void {
    if (!this.#explained.has(place)) this.#reportFailure(failure, place);
  }

  #reportFailure(failure: Failure, place: ResponsePath): void {
    this.#explained.add(place);
    const { error, fetch, reported: told } = failure;
    if (fetch.paths++ >= this.#state.context.errorsPerFetch) return;
    this.found.push({ ...error, path: place, fetch: told === 'once' ? fetch : undefined });
  }

  /** Whether a value is null where it may not be, which is told unless something explains it. */
  #bubbles(value: unknown, type: GraphQLOutputType, field: AnswerField, place: ResponsePath): boolean {
    if (!isNonNullType(type)) {
      this.#isNull(value, type, field, place);
      return false;
    }
    if (!this.#isNull(value, type.ofType, field, place)) return false;
    this.#reportNull(
      field,
      place,
      `Cannot return null for non-nullable field ${field.parent}.${field.name}.`,
    );
    return true;
  }

  #isNull(value: unknown, type: GraphQLOutputType, field: AnswerField, place: ResponsePath): boolean {
    if (value === null || value === undefined) return true;
    if (isListType(type)) {
      if (!Array.isArray(value)) return this.#unfit(field, place, 'a list');
      let bubbles = false;
      for (const [index, item] of value.entries()) {
        if (this.#bubbles(item, type.ofType, field, [...place, index])) bubbles = true;
      }
      return bubbles;
    }
    if (isLeafType(type)) {
      if (leafWriter(type)(value) !== undefined) return false;
      // A value that composition hides from clients reads as null, and that is no error.
      if (isEnumType(type) && this.#names.isHiddenValue(type.name, value)) return true;
      return this.#unfit(field, place, `a value of type ${type.name}`);
    }
    if (!isPlainObject(value)) return this.#unfit(field, place, 'an object');
    const typename = value['__typename'];
    if (field.selection?.isUntyped(typename)) return this.#untyped(value, field, place);
    const concrete = field.selection?.typeOf(typename);
    if (!field.selection) return true;
    if (!concrete) {
      const { name } = field.selection.type;
      const isOutside = typeof typename === 'string' && !this.#names.isPossible(typename, name);
      return isOutside ? this.#unfit(field, place, `of a type of ${name}`) : true;
    }
    return this.object(value, concrete, field.selection, place);
  }

  /** Null for an object whose type nobody told: whoever should have is to blame. */
  #untyped(value: DataObject, field: AnswerField, place: ResponsePath): true {
    const failures = this.#state.failures?.get(value);
    const failure = failures?.find(({ reported: told }) => told !== 'if left') ?? failures?.[0];
    if (failure && failure.reported !== 'if left') this.#reportFailure(failure, place);
    else if (failure) this.#reportPropagated(failure, place);
    else this.#reportNull(field, place, `No subgraph returned the type of ${field.parent}.${field.name}.`);
    return true;
  }

  #unfit(field: AnswerField, place: ResponsePath, wanted: string): true {
    this.#reportNull(field, place, `The service's value of ${field.parent}.${field.name} is not ${wanted}.`);
    return true;
  }

  #reportNull(field: AnswerField, place: ResponsePath, message: string): void {
    if (this.#explained.has(place)) return;
    this.#explained.add(place);
    if (this.#nulls++ >= this.#state.context.errorsPerFetch) return;
    this.#state.context.log.warn(
      { field: `${field.parent}.${field.name}`, requestId: this.#state.context.requestId },
      'subgraph returned an invalid value',
    );
    this.found.push({ message, path: place, code: 'DOWNSTREAM_SERVICE_ERROR' });
  }
}

/**
 * An error at places that the client can see: its own; for a field that the plan fetched for others, those that need
 * it and are null now; none if it is felt nowhere (the planner fetched what nobody asked for).
 */
function visibleAt(
  error: EngineError,
  selection: AnswerSelection,
  state: RunState,
  dependents: Dependents,
): EngineError[] {
  const path = error.path ?? [];
  let owner: unknown = state.data;
  let current: AnswerSelection | undefined = selection;
  for (const [index, step] of path.entries()) {
    if (owner === null || owner === undefined) return [error];
    if (typeof step === 'number') {
      const list: unknown[] | undefined = Array.isArray(owner) ? owner : undefined;
      if (list && step >= list.length) return [above(error, index)];
      owner = list?.[step];
      continue;
    }
    if (!isPlainObject(owner) || !current) return [error];
    const typename = owner['__typename'];
    if (current.isUntyped(typename))
      return [isSelected(step, current) ? error : { ...error, path: path.slice(0, index) }];
    const type: GraphQLNamedType | undefined = current.typeOf(typename);
    const fields: readonly AnswerField[] = type ? current.fieldsOf(type) : [];
    const field = fields.find(({ key }) => key === step);
    if (!field) {
      const felt = feltAt(error, step, owner, fields, path.slice(0, index), dependents);
      // What the plan fetched for other fields is an error where those are null; what nobody fetched is one above.
      return felt.length > 0 || Object.hasOwn(owner, step) ? felt : [above(error, index)];
    }
    current = field.selection;
    owner = valueAt(owner, step);
  }
  return [error];
}

/** An error whose place does not exist, at the place above that does. */
function above(error: EngineError, index: number): EngineError {
  return { ...error, path: index > 0 ? error.path?.slice(0, index) : undefined };
}

/** Whether a key is selected of any type that can stand at a position. */
function isSelected(key: string, selection: AnswerSelection): boolean {
  return selection
    .possibleTypes()
    .some((type) => selection.fieldsOf(type).some((field) => field.key === key));
}

function feltAt(
  error: EngineError,
  key: string,
  owner: DataObject,
  fields: readonly AnswerField[],
  place: ResponsePath,
  dependents: Dependents,
): EngineError[] {
  const needing = dependents.get(key);
  return fields
    .filter((field) => needing?.has(field.key) && (valueAt(owner, field.key) ?? null) === null)
    .map((field) => ({ ...error, path: [...place, field.key] }));
}
