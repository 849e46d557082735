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

/** Required fields by the fields that need them: an error of an internal field is reported at those. */
export type Dependents = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * The complete errors of an answer: those of subgraphs at paths that the client can see, failed fetches at
 * each field they left out, and nulls in non-null positions that have no other explanation. A second, slow
 * pass over the data: run only if something went wrong.
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
  const deduped = dedupeFetchErrors(dedupeNullErrors([...visible, ...walk.found], selection, state.data));
  return [...deduped, ...withoutPlace(state)];
}

/**
 * Errors that subgraphs reported for a whole answer, or for a whole entity, and that no missing field has
 * shown.
 */
function withoutPlace({ failures }: RunState): EngineError[] {
  const found = new Map<FailedFetch, EngineError>();
  for (const { error, fetch, isOwn } of [...(failures?.values() ?? [])].flat()) {
    if (isOwn && fetch.paths === 0) found.set(fetch, error);
  }
  return [...found.values()];
}

/** Names that the supergraph has and clients do not see. */
export interface SchemaNames {
  /** True if an enum has a value that composition hides from clients. */
  isHiddenValue(enumName: string, value: unknown): boolean;
  /** True if a value of an interface or union can have this type. */
  isPossible(typename: string, abstractName: string): boolean;
}

/** Paths of an answer that have an error already. */
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

  /** True if an error is at the path, above it, or below it. */
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

  /** True if null replaces the object because one of its non-null fields is null. */
  object(value: DataObject, type: GraphQLNamedType, selection: AnswerSelection, path: ResponsePath): boolean {
    let bubbles = false;
    const takenAlong: [Failure, ResponsePath][] = [];
    for (const field of selection.fieldsOf(type)) {
      if (field.name.startsWith('__')) continue;
      const place = [...path, field.key];
      const inner = valueAt(value, field.key);
      const failure = inner === undefined ? this.#missing(value, field) : undefined;
      if (failure?.reported === 'if left') {
        if (isNonNullType(field.type)) {
          // Its subgraph left it out because of the failure, so it is not wrong itself.
          this.#reportPropagated(failure, place);
          bubbles = true;
          continue;
        }
        takenAlong.push([failure, place]);
      } else if (failure) this.#reportFailure(failure, place);
      if (this.#bubbles(inner, field.type, field, place)) bubbles = true;
    }
    if (!bubbles) for (const [failure, place] of takenAlong) this.#reportPropagated(failure, place);
    return bubbles;
  }

  /** Reports a field that no answer contained: the error is that of the failed fetch, if there was one. */
  #missing(owner: DataObject, field: AnswerField): Failure | undefined {
    const failures = this.#state.failures?.get(owner);
    return failures?.find(({ fields }) => fields.has(field.key)) ?? failures?.[0];
  }

  #reportPropagated(failure: Failure, place: ResponsePath): void {
    if (!this.#explained.has(place)) this.#reportFailure(failure, place);
  }

  #reportFailure(failure: Failure, place: ResponsePath): void {
    this.#explained.add(place);
    const { error, fetch, reported } = failure;
    if (fetch.paths++ >= this.#state.context.errorsPerFetch) return;
    this.found.push({ ...error, path: place, fetch: reported === 'once' ? fetch : undefined });
  }

  /** True if a value is null in a non-null position, which is reported unless another error explains it. */
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
      // A value that composition hides from clients reads as null, without an error.
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

  /**
   * Null for an object of unknown type: the error is that of the fetch that should have returned the type.
   */
  #untyped(value: DataObject, field: AnswerField, place: ResponsePath): true {
    const failures = this.#state.failures?.get(value);
    const failure = failures?.find(({ reported }) => reported !== 'if left') ?? failures?.[0];
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
 * Reports an error at paths that the client can see: its own; for a field fetched for others, those that need
 * it and are null now; none if no visible field is affected (the planner fetched an unused field).
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
      // An error in a field fetched for others appears where those are null; one in a field that was not
      // fetched is moved up.
      return felt.length > 0 || Object.hasOwn(owner, step) ? felt : [above(error, index)];
    }
    current = field.selection;
    owner = valueAt(owner, step);
  }
  return [error];
}

/** Moves an error whose path does not exist to the nearest path above it that does. */
function above(error: EngineError, index: number): EngineError {
  return { ...error, path: index > 0 ? error.path?.slice(0, index) : undefined };
}

/** True if a key is selected on any type that is possible at a position. */
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
