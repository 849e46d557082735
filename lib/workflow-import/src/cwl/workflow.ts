/** Workflows: their steps, in the order of their sources. */
import { maxNodes } from '../graph/finish.js';
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';
import { decide } from './condition.js';
import type { CwlContext, Guard, Scope } from './context.js';
import type { CwlProcess } from './files.js';
import { type Named, nameOfId, namedEntries, refuseOthers } from './fields.js';
import { guardOf } from './guards.js';
import { valueAt } from './job-order.js';
import { withRequirements } from './requirements.js';
import { instancesOf } from './scatter.js';
import { patternsOf, withSecondary } from './secondary-files.js';
import {
  type KnownValues,
  linked,
  sourceName,
  sourcesOf,
  sourceValue,
  withValueFrom,
} from './step-inputs.js';
import { addTool, type Given, refuseMaybeNull } from './tool.js';
import { producersOf, UnknownValue, type Value } from './values.js';

const workflowFields = new Set(['inputs', 'outputs', 'requirements', 'hints', 'steps']);
const stepFields = new Set(['in', 'out', 'requirements', 'hints', 'run', 'when', 'scatter', 'scatterMethod']);
/** Most workflows within each other. */
const maxDepth = 20;

/** Adds the nodes of a process. Returns the values of its outputs, by name. */
export function addProcess(
  process: CwlProcess,
  given: ReadonlyMap<string, Given>,
  scope: Scope,
  context: CwlContext,
): ReadonlyMap<string, Value> {
  const { refusals } = context;
  const kind = process.at.member('class');
  if (scope.within.includes(process.key) || scope.within.length > maxDepth) {
    refusals.refuse(process.at, 'contains itself, or is nested too deeply');
    return new Map();
  }
  const inner = { ...scope, within: [...scope.within, process.key] };
  if (kind?.text === 'CommandLineTool') return addTool(process, given, inner, context);
  if (kind?.text === 'Workflow') context.withoutNode.count += 1;
  if (kind?.text === 'Workflow') return addWorkflow(process, given, inner, context);
  if (kind)
    refusals.refuse(kind, `${String(kind.value)} is not supported`, 'use CommandLineTool or Workflow');
  else refusals.invalid(process.at.place('class'), 'CommandLineTool or Workflow');
  return new Map();
}

function addWorkflow(
  { at, key }: CwlProcess,
  given: ReadonlyMap<string, Given>,
  scope: Scope,
  context: CwlContext,
): ReadonlyMap<string, Value> {
  const { refusals } = context;
  refuseOthers(at, workflowFields, refusals);
  const own = { ...scope, held: withRequirements(scope.held, at, refusals) };
  const workflow = nameOfId(at.member('id')?.text ?? '');
  const known = { values: new Map<string, Value>(), workflow, guard: scope.guard };
  for (const { name, at: input } of namedEntries(at.member('inputs'), 'id', refusals))
    known.values.set(name, inputValue(input, given.get(name), scope, context));
  const steps = context.orders.get(key) ?? orderedSteps(at, known.workflow, context);
  context.orders.set(key, steps);
  for (const step of steps) {
    const outputs = addStep(step, known, own, context);
    for (const { name, at: output } of outsOf(step.at, context))
      known.values.set(`${step.name}/${name}`, outputOf(outputs, name, output, context));
  }
  return new Map(
    namedEntries(at.member('outputs'), 'id', refusals).map(({ name, at: output }) => [
      name,
      linked(output.isMap ? output : output.place('outputSource'), 'outputSource', known, context),
    ]),
  );
}

function inputValue(at: Located, given: Given | undefined, { guard }: Scope, context: CwlContext): Value {
  const { refusals } = context;
  const byDefault = at.member('default');
  if (given && byDefault && context.conditional.hasAnyBeyond(producersOf(given.value), guard))
    refuseMaybeNull(given.at, refusals);
  const whole = (value: Value, place: Located): Value =>
    withSecondary(value, at.isMap ? patternsOf(at, refusals) : [], place, refusals);
  if (given && given.value !== null) return whole(given.value, given.at);
  if (byDefault) return whole(valueAt(byDefault, context) ?? new UnknownValue(), byDefault);
  const type = at.isMap ? at.member('type') : at;
  const isOptional = JSON.stringify(type?.value ?? null).match(/\?"|"null"|"Any"/) !== null;
  if (isOptional) return null;
  refusals.refuse(given?.at ?? at, 'has no value', 'give it in the file of --inputs');
  return new UnknownValue();
}

function outsOf(step: Located, { refusals }: CwlContext): readonly Named[] {
  return (step.member('out')?.entries() ?? []).flatMap((at) => {
    const id = at.text ?? at.member('id')?.text;
    if (id === undefined) refusals.invalid(at, 'a text');
    return id === undefined ? [] : [{ name: nameOfId(id), at }];
  });
}

function outputOf(
  outputs: ReadonlyMap<string, Value> | undefined,
  name: string,
  at: Located,
  { refusals }: CwlContext,
): Value {
  const value = outputs?.get(name);
  if (value !== undefined) return value;
  if (outputs && outputs.size > 0) refusals.refuse(at, `${name} is not an output of the process`);
  return new UnknownValue();
}

/**
 * Steps, each after those whose outputs it needs: in turns, of which each goes through the steps as they are
 * written, and takes those that need no other any more.
 */
function orderedSteps(at: Located, workflow: string, { refusals }: CwlContext): readonly Named[] {
  const steps = namedEntries(at.member('steps'), 'id', refusals);
  const names = new Set(steps.map(({ name }) => name));
  const followers = new Map<string, WaitingStep[]>([...names].map((name) => [name, []]));
  const waiting = steps.map((step, index): WaitingStep => {
    const needs = neededSteps(step, workflow, names, refusals);
    const entry = { ...step, index, open: needs.size, turn: 0 };
    for (const name of needs) followers.get(name)?.push(entry);
    return entry;
  });
  const ordered = waiting.filter(({ open }) => open === 0);
  for (const { name, index, turn } of ordered) {
    for (const next of followers.get(name) ?? []) {
      next.turn = Math.max(next.turn, index > next.index ? turn + 1 : turn);
      next.open -= 1;
      if (next.open === 0) ordered.push(next);
    }
    followers.delete(name);
  }
  for (const { open, at: step } of waiting) if (open > 0) refusals.refuse(step, 'depends on its own output');
  return ordered.sort((a, b) => a.turn - b.turn || a.index - b.index);
}

interface WaitingStep extends Named {
  /** Position in the text. */
  readonly index: number;
  /** Number of steps that it waits for. */
  open: number;
  turn: number;
}

/** Names of the steps whose outputs a step needs. */
function neededSteps(
  { at }: Named,
  workflow: string,
  names: ReadonlySet<string>,
  refusals: Refusals,
): ReadonlySet<string> {
  const sources = namedEntries(at.member('in'), 'id', refusals).flatMap((input) =>
    sourcesOf(input.at, 'source'),
  );
  const before = sources.map(({ text }) => sourceName(text ?? '', workflow).split('/'));
  return new Set(before.flatMap(([name = '', out]) => (out !== undefined && names.has(name) ? [name] : [])));
}

/** Adds the nodes of a step. Returns the values of its outputs; undefined if it is refused. */
function addStep(
  { name, at }: Named,
  known: KnownValues,
  scope: Scope,
  context: CwlContext,
): ReadonlyMap<string, Value> | undefined {
  const { refusals } = context;
  refuseOthers(at, stepFields, refusals);
  const held = withRequirements(scope.held, at, refusals);
  const process = context.files.ofStep(at.place('run'));
  const ins = namedEntries(at.member('in'), 'id', refusals);
  const values = new Map(ins.map((input) => [input.name, sourceValue(input, known, context)]));
  const instances = instancesOf(at, values, refusals);
  if (!process) return undefined;
  const path = (own: string, outer: string): string => (outer === '' ? own : `${outer}/${own}`);
  const run = (own: ReadonlyMap<string, Value>, suffix: string): ReadonlyMap<string, Value> | undefined => {
    if (context.tools.length > maxNodes || refusals.isFull) return undefined;
    if (context.withoutNode.count > maxNodes) {
      const problem = `comes after ${maxNodes} calls of workflows and steps that are left out`;
      refusals.refuse(at, problem, 'divide the workflow');
      return undefined;
    }
    const inner = { ...scope, held, name: path(name + suffix, scope.name), label: path(name, scope.label) };
    return addInstance(at, { process, given: withValueFrom(ins, own, refusals) }, inner, context);
  };
  if (!instances) return run(values, '');
  const results = instances.map((own, index) => run(own, `.${index}`));
  return new Map(
    outsOf(at, context).map(({ name: out }) => [
      out,
      results.map((result) => result?.get(out) ?? new UnknownValue()),
    ]),
  );
}

/** Adds the nodes of one instance of a step. Its outputs are null if its condition is not met. */
function addInstance(
  step: Located,
  { process, given }: { readonly process: CwlProcess; readonly given: Map<string, Given> },
  scope: Scope,
  context: CwlContext,
): ReadonlyMap<string, Value> | undefined {
  const when = step.member('when');
  if (!when) return addProcess(process, given, scope, context);
  const { refusals } = context;
  const values = new Map([...given].map(([name, { value }]) => [name, value]));
  const decision = decide(when, values, context);
  if (!decision) return undefined;
  if ('isMet' in decision) {
    if (decision.isMet) return addProcess(process, given, scope, context);
    context.withoutNode.count += 1;
    return new Map(outsOf(step, context).map(({ name }) => [name, null]));
  }
  const isTool = process.at.member('class')?.text === 'CommandLineTool';
  const guard: Guard | undefined = guardOf(when, decision, given, { outer: scope.guard, isTool, refusals });
  return guard && addProcess(process, given, { ...scope, guard }, context);
}
