import type { PathSegment } from '../planning/plan-format.js';
import type { TypeRelations } from '../supergraph/type-relations.js';

/** An object of the data that grows while a plan runs. */
export type DataObject = Record<string, unknown>;

/**
 * A value of an object of the data. Ignores inherited properties such as `constructor`, which no subgraph
 * returned.
 */
export function valueAt(data: DataObject, key: string): unknown {
  const value = data[key];
  return typeof value === 'function' ? undefined : value;
}

/** Path in an answer. */
export type ResponsePath = readonly (string | number)[];

/** Path of a plan's step: the objects along it in the data. */
export interface CompiledPath {
  /** Calls back for each object on the path. */
  collect(data: DataObject, found: (entity: DataObject) => void): void;
  /** The same with the path of each object: slower, used only if there is an error to report. */
  locate(data: DataObject, found: (entity: DataObject, path: ResponsePath) => void): void;
  /** True if the path depends on the types of its objects. */
  readonly typed: boolean;
}

type Collector = (value: unknown, found: (entity: DataObject) => void) => void;

/** Builds the two traversals of a plan's path. */
export function compilePath(segments: readonly PathSegment[], relations: TypeRelations): CompiledPath {
  const steps = segments.map((segment) => toStep(segment, relations));
  let collect: Collector = collectHere;
  for (const step of [...steps].reverse()) collect = collectorOf(step, collect);
  return {
    collect,
    locate: (data, found) => locate(data, steps, 0, [], found),
    typed: steps.some(({ kind }) => kind === 'type'),
  };
}

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'items' }
  | { readonly kind: 'type'; readonly names: ReadonlySet<string> };

function toStep(segment: PathSegment, relations: TypeRelations): Step {
  if (segment === '@') return { kind: 'items' };
  if ('Field' in segment) return { kind: 'field', name: segment.Field };
  return { kind: 'type', names: relations.namesMeeting(segment.TypeCondition) };
}

const collectHere: Collector = (value, found) => {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) for (const item of value) collectHere(item, found);
  else found(value as DataObject);
};

function collectorOf(step: Step, next: Collector): Collector {
  // A list of lists has one `@` or several: lists in the position of an object are traversed.
  const through: Collector = (value, found) => {
    if (Array.isArray(value)) for (const item of value) through(item, found);
    else if (typeof value === 'object' && value !== null) onObject(value as DataObject, found);
  };
  const onObject = objectStep(step, next);
  if (step.kind !== 'items') return through;
  return (value, found) => {
    if (Array.isArray(value)) for (const item of value) next(item, found);
  };
}

function objectStep(
  step: Step,
  next: Collector,
): (value: DataObject, found: (entity: DataObject) => void) => void {
  if (step.kind === 'field') {
    const { name } = step;
    return (value, found) => next(value[name], found);
  }
  if (step.kind === 'type') {
    const { names } = step;
    return (value, found) => {
      if (names.has(value['__typename'] as string)) next(value, found);
    };
  }
  return next;
}

function locate(
  value: unknown,
  steps: readonly Step[],
  at: number,
  path: (string | number)[],
  found: (entity: DataObject, path: ResponsePath) => void,
): void {
  if (typeof value !== 'object' || value === null) return;
  const step = steps[at];
  if (Array.isArray(value)) {
    const next = step?.kind === 'items' ? at + 1 : at;
    for (let index = 0; index < value.length; index++) {
      path.push(index);
      locate(value[index], steps, next, path, found);
      path.pop();
    }
    return;
  }
  const entity = value as DataObject;
  if (!step) {
    found(entity, [...path]);
  } else if (step.kind === 'field') {
    path.push(step.name);
    locate(entity[step.name], steps, at + 1, path, found);
    path.pop();
  } else if (step.kind === 'type' && step.names.has(entity['__typename'] as string)) {
    locate(entity, steps, at + 1, path, found);
  }
}
