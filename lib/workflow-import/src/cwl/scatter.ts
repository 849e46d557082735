/** Instances of steps that are scattered over lists. */
import { maxNodes } from '../graph/finish.js';
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';
import { nameOfId } from './fields.js';
import { isList, UnknownValue, type Value } from './values.js';

/** Values of the inputs of the instances; undefined if the step is not scattered. */
export type Instances = readonly ReadonlyMap<string, Value>[] | undefined;

/** Instances of a step; none if the scatter is refused. */
export function instancesOf(
  step: Located,
  values: ReadonlyMap<string, Value>,
  refusals: Refusals,
): Instances {
  const scatter = step.member('scatter');
  if (!scatter) return undefined;
  const entries = scatter.isList ? scatter.entries() : [scatter];
  if (scatter.isList && entries.length === 0) return undefined;
  const lists = entries.map((entry) => listOf(entry, values, refusals));
  const method = step.member('scatterMethod');
  const name = method?.text ?? 'dotproduct';
  if (name !== 'dotproduct' && name !== 'flat_crossproduct') {
    const advice = 'use dotproduct or flat_crossproduct';
    if (name === 'nested_crossproduct' && method) refusals.refuse(method, `${name} is not supported`, advice);
    else refusals.invalid(method ?? step, 'dotproduct or flat_crossproduct');
    return [];
  }
  if (!method && lists.length > 1)
    refusals.refuse(scatter, 'is about several inputs', 'give a scatterMethod');
  const known = lists.filter((list) => list !== undefined);
  if (known.length < lists.length) return [];
  const count =
    name === 'dotproduct'
      ? (known[0]?.list.length ?? 0)
      : known.reduce((product, { list }) => product * list.length, 1);
  if (count > maxNodes) {
    refusals.refuse(scatter, `${count} instances`, `a workflow has at most ${maxNodes} jobs`);
    return [];
  }
  if (name === 'flat_crossproduct') return count === 0 ? [] : crossed(known, values);
  const uneven = known.find(({ list }) => list.length !== count);
  if (uneven)
    refusals.refuse(
      scatter,
      `${uneven.name} has ${uneven.list.length} entries, and ${known[0]?.name ?? ''} ${count}`,
      'the lists of a dotproduct must have the same length',
    );
  if (uneven) return [];
  return Array.from({ length: count }, (_, at) => replaced(values, known, () => at));
}

interface ScatteredList {
  readonly name: string;
  readonly list: readonly Value[];
}

function listOf(
  at: Located,
  values: ReadonlyMap<string, Value>,
  refusals: Refusals,
): ScatteredList | undefined {
  const name = nameOfId(at.text ?? '');
  const list = values.get(name);
  if (list !== undefined && isList(list)) return { name, list };
  if (list instanceof UnknownValue) {
    if (list.reason !== undefined)
      refusals.refuse(
        at,
        `${name} is a list that is known only when the step before has run: ${list.reason}`,
        'scatter over a list that is known on import',
      );
  } else refusals.refuse(at, `${JSON.stringify(at.value)} is not an input of the step with a list`);
  return undefined;
}

/** All combinations; the last list changes fastest. */
function crossed(
  lists: readonly ScatteredList[],
  values: ReadonlyMap<string, Value>,
): readonly ReadonlyMap<string, Value>[] {
  let chosen: (readonly number[])[] = [[]];
  for (const { list } of lists)
    chosen = chosen.flatMap((before) => list.map((_, index) => [...before, index]));
  return chosen.map((indexes) => replaced(values, lists, (position) => indexes[position] ?? 0));
}

function replaced(
  values: ReadonlyMap<string, Value>,
  lists: readonly ScatteredList[],
  indexOf: (position: number) => number,
): ReadonlyMap<string, Value> {
  const own = new Map(values);
  for (const [position, { name, list }] of lists.entries()) own.set(name, list[indexOf(position)] ?? null);
  return own;
}
